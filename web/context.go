package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
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

// Decode reads one JSON value from the body into v: unknown fields, a second
// value and a wrong content type are refused with a sentence.
func (c *Context) Decode(v any) error {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return badBody(err)
	}
	if !utf8.Valid(raw) {
		return errUTF8() // the decoder would put U+FFFD in place of what was sent
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badBody(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("the body holds more than one JSON value", "send exactly one")
	}
	return nil
}

func errUTF8() error {
	return invalid("the body is not valid UTF-8", "send the text as UTF-8")
}

// badBody turns a decoder's error into a sentence for the caller.
func badBody(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
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
	const unknown = "json: unknown field "
	if s := err.Error(); len(s) > len(unknown) && s[:len(unknown)] == unknown {
		return "a field is not known"
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
