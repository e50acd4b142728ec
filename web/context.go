package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"vitrine/policy/identity"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

// Context is what a handler gets: the request, who asks, and the use cases.
// It wraps echo's so that nothing outside this package knows the router.
type Context struct {
	echo.Context
	App       *app.App
	Caller    identity.Caller // zero when nobody has signed in
	Lang      string          // en | zh-Hans
	Theme     string          // light | dark | "" for the system's
	RequestID string
	route     *route
	server    *Server
}

// Ctx is the request's context, with the language of the page in it.
func (c *Context) Ctx() context.Context { return i18n.With(c.Request().Context(), c.Lang) }

// Page writes a page with the given status. A page that fails half-way is cut
// off and the error returned, so that no half page looks like a whole one.
func (c *Context) Page(status int, page templ.Component) error {
	buf := templ.GetBuffer()
	defer templ.ReleaseBuffer(buf)
	if err := page.Render(c.Ctx(), buf); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Cookie, Accept-Language, HX-Request")
	c.Response().WriteHeader(status)
	_, err := c.Response().Write(buf.Bytes())
	return err
}

// IsHTMX reports whether htmx asked, and so wants a fragment.
func (c *Context) IsHTMX() bool { return c.Request().Header.Get("HX-Request") == "true" }

// Decode reads the JSON body into v, which is a pointer to the type that the
// route's document names. What the document does not allow is refused with a
// sentence, before anything of it is used: unknown fields, wrong types, a second
// value, text that is not UTF-8, another content type.
func (c *Context) Decode(v any) error {
	if ct := c.Request().Header.Get("Content-Type"); ct != "" {
		media, _, err := mime.ParseMediaType(ct)
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return &hintedError{errMedia, "send the header Content-Type: application/json"}
		}
	}
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	if err := readText(raw); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return badBody(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("the body holds more than one JSON value", "send exactly one")
	}
	if f := checkBody(reflect.TypeOf(v).Elem(), value); f != nil {
		return invalid(f.Error(), "compare it with /api/openapi.json")
	}
	if tidy, changed := wholeNumbers(value); changed {
		if raw, err = json.Marshal(tidy); err != nil {
			return badBody(err)
		}
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return badBody(err)
	}
	return nil
}

// readText refuses JSON whose strings a decoder would repair silently.
func readText(raw []byte) error {
	if !utf8.Valid(raw) || loneSurrogate(raw) {
		return invalid("the body is not valid UTF-8", "send JSON in UTF-8, or the bytes of a picture where the route takes them")
	}
	return nil
}

// badBody turns a decoder's error into a sentence for the caller.
func badBody(err error) error {
	return invalid("the body is not the JSON that this route takes: "+plainJSON(err), "compare it with /api/openapi.json")
}

func plainJSON(err error) string {
	var syn *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.As(err, &syn):
		return "it is not valid JSON"
	case errors.As(err, &typ) && typ.Field != "":
		return "the field " + typ.Field + " must be of type " + typ.Type.String()
	case errors.As(err, &typ):
		return "it must be a JSON " + typ.Type.Kind().String()
	}
	return "it cannot be read"
}

// cookie makes a cookie of this server: httpOnly, same-site, host-bound and
// Secure when the address is https.
func (s *Server) cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.secure()}
	switch {
	case life < 0:
		c.MaxAge = -1
	case life > 0:
		c.MaxAge = int(life / time.Second)
	}
	return c
}

func (s *Server) cookieName(name string) string {
	if s.secure() {
		return "__Host-vitrine-" + name
	}
	return "vitrine-" + name
}

// Keep stores a value in the browser; a negative life removes it, zero
// keeps it until the browser closes.
func (c *Context) Keep(name, value string, life time.Duration) {
	http.SetCookie(c.Response(), c.server.cookie(name, value, life))
}

// CookieValue is the value of a cookie of this server, or empty.
func (c *Context) CookieValue(name string) string {
	ck, err := c.Request().Cookie(c.server.cookieName(name))
	if err != nil {
		return ""
	}
	return ck.Value
}

// SessionCookie is the name (without prefix) of the session cookie.
const SessionCookie = "session"
