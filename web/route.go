package web

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"vitrine/policy"
)

// Handler answers one route. The error it returns is turned into a page or a
// problem document by the error table (errors.go).
type Handler func(c *Context) error

// Access says who may reach a route. It is either one of the policy's actions,
// which the use case behind the route decides, or one of the words below.
type Access = policy.Action

// Routes that the policy does not govern.
const (
	Public   Access = "public"    // anyone: sign-in, health, assets
	SignedIn Access = "signed-in" // anyone who has signed in: their own session, the dashboard
)

// route is one entry of the route table.
type route struct {
	method, path string
	access       Access
	handler      Handler
	doc          *Doc // nil for pages
	body         int64
}

// Body limits in bytes.
const (
	formBody  = 1 << 20
	imageBody = 16 << 20 // one encoded picture, or the same in base64 inside JSON
)

var routes []route

// page registers a page of the console beside its handler. Every page names its
// access: there is no default.
func page(method, path string, access Access, h Handler) {
	add(route{method: method, path: path, access: access, handler: h, body: formBody})
}

// upload registers a page whose form may carry a picture.
func upload(method, path string, access Access, h Handler) {
	add(route{method: method, path: path, access: access, handler: h, body: imageBody})
}

// api registers a route of the API with what the OpenAPI document says of it.
func api(method, path string, access Access, doc Doc, h Handler) {
	body := int64(formBody)
	if doc.Large {
		body = imageBody
	}
	add(route{method: method, path: path, access: access, handler: h, doc: &doc, body: body})
}

func add(r route) {
	if r.handler == nil || r.path == "" || (!r.access.Known() && r.access != Public && r.access != SignedIn) {
		panic("web: invalid route " + r.method + " " + r.path)
	}
	for _, o := range routes {
		if o.method == r.method && o.path == r.path {
			panic("web: two routes for " + r.method + " " + r.path)
		}
	}
	routes = append(routes, r)
}

// sortedRoutes is a copy of the route table by path and method.
func sortedRoutes() []route {
	out := slices.Clone(routes)
	slices.SortFunc(out, func(a, b route) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method))
	})
	return out
}

// mount puts every registered route on e.
func (s *Server) mount(e *echo.Echo) {
	for _, r := range sortedRoutes() {
		h := func(ec echo.Context) error {
			c, ok := contextOf(ec)
			if !ok {
				return errNoContext
			}
			c.route = &r
			if c.Request().Body != nil {
				c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, r.body)
			}
			if r.access != Public && c.Caller.ID == "" {
				return errSignIn
			}
			if err := c.knownQuery(); err != nil {
				return err
			}
			if err := c.proven(&r); err != nil {
				return err
			}
			return r.handler(c)
		}
		e.Add(r.method, r.path, h)
		if r.method == http.MethodGet {
			e.Add(http.MethodHead, r.path, h)
		}
	}
}
