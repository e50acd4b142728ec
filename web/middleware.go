package web

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"vitrine/views/i18n"
	"vitrine/web/app"
)

// csp allows nothing from elsewhere and nothing inline.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// wrap gives every request a Context with an id, a language and a theme. It
// runs before routing, so that errors of the router have them too.
func (s *Server) wrap(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		r := ec.Request()
		c := &Context{Context: ec, App: s.app, server: s, RequestID: newRequestID()}
		c.Lang = i18n.Match(r.URL.Query().Get("lang"), c.CookieValue("lang"), r.Header.Get("Accept-Language"))
		if t := c.CookieValue("theme"); t == "light" || t == "dark" {
			c.Theme = t
		}
		ec.Response().Header().Set("X-Request-Id", c.RequestID)
		ec.Set(contextKey, c)
		return next(ec)
	}
}

// contextKey is where echo keeps our Context: its router insists on its own.
const contextKey = "vitrine"

func contextOf(ec echo.Context) (*Context, bool) {
	c, ok := ec.Get(contextKey).(*Context)
	return c, ok
}

// newRequestID is the id that the caller sees and the log entry of the request holds.
func newRequestID() string { return ulid.Make().String() }

// recover turns a panic into the answer of an internal error. What panicked is
// a programming error; its text is constant and holds no input.
func (s *Server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				err = fmt.Errorf("web: panic: %v", p)
			}
		}()
		return next(c)
	}
}

// harden sets the security headers and refuses foreign hosts and cross-origin
// writes.
func (s *Server) harden(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=()")
		if s.secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !s.hostAllowed(c.Request().Host) {
			return errHost
		}
		if err := s.cross.Check(c.Request()); err != nil {
			return errCrossOrigin
		}
		return next(c)
	}
}

// identify finds out who asks: an API key in one of the usual headers, else the
// session cookie. A key that is given and wrong is an error, not a guest.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		c, ok := contextOf(ec)
		if !ok {
			return errNoContext
		}
		if strings.HasPrefix(c.Request().URL.Path, "/static/") {
			return next(ec)
		}
		if isLocal(c.Request()) {
			c.Caller = s.app.Local()
			return next(ec)
		}
		if key := apiKey(c.Request().Header); key != "" {
			caller, err := s.app.APIKey(c.Ctx(), key, c.RealIP())
			if err != nil {
				return err
			}
			c.Caller = caller
			return next(ec)
		}
		if token := c.CookieValue(SessionCookie); token != "" {
			caller, err := s.app.Session(c.Ctx(), token)
			if err == nil {
				c.Caller = caller
			} else if !errors.Is(err, app.ErrSession) {
				return err
			}
		}
		return next(ec)
	}
}

var bearer = regexp.MustCompile(`(?i)^bearer\s+(\S+)$`)

func apiKey(h http.Header) string {
	if m := bearer.FindStringSubmatch(h.Get("Authorization")); m != nil {
		return m[1]
	}
	if k := h.Get("X-Api-Key"); k != "" {
		return k
	}
	return h.Get("Api-Key")
}
