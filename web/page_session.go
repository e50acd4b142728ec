package web

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"vitrine/views"
	"vitrine/web/app"
)

// sessionLife is how long the browser keeps the session cookie; the session's
// own limits are shorter and are kept by the server.
const sessionLife = 30 * 24 * time.Hour

func init() {
	page(http.MethodGet, "/signin", Public, signInForm)
	page(http.MethodPost, "/signin", Public, signIn)
	page(http.MethodPost, "/signout", SignedIn, signOut)
	page(http.MethodGet, "/demo", Public, signInDemo)
	page(http.MethodGet, "/setup", Public, setupForm)
	page(http.MethodPost, "/setup", Public, setup)
}

func signInForm(c *Context) error {
	if c.Caller.ID != "" {
		return c.Redirect(http.StatusSeeOther, "/")
	}
	m := views.SignIn{Shell: c.shell(""), Next: localPath(c.QueryParam("next")), Demo: c.server.cfg.Demo, Provider: c.App.Provider()}
	if c.QueryParam("next") != "" {
		m.Error = "required"
	}
	return c.Page(http.StatusOK, views.SignInPage(m))
}

func signIn(c *Context) error {
	name, next := c.FormValue("name"), localPath(c.FormValue("next"))
	token, _, err := c.App.SignIn(c.Ctx(), name, c.FormValue("password"), c.RealIP())
	if errors.Is(err, app.ErrCodeDue) {
		c.Keep(pendingCookie, token, 0)
		return c.Redirect(http.StatusSeeOther, "/signin/code?"+url.Values{"next": {next}}.Encode())
	}
	if err != nil {
		return c.signInAgain(err, views.SignIn{Name: name, Next: next})
	}
	c.Keep(SessionCookie, token, sessionLife)
	return c.Redirect(http.StatusSeeOther, next)
}

var seconds = regexp.MustCompile(`\d+`)

// signInAgain keeps the form with its error; anything that is not about the
// sign-in itself goes to the error page.
func (c *Context) signInAgain(err error, m views.SignIn) error {
	if m.Error, m.Wait = c.refusedSignIn(err); m.Error == "" {
		return err
	}
	m.Shell, m.Demo, m.Provider = c.shell(""), c.server.cfg.Demo, c.App.Provider()
	m.Shell.URL = "/signin"
	return c.Page(signInStatus(err), views.SignInPage(m))
}

// signInStatus is 401, also for a name that could not be one: how it was wrong is not told.
func signInStatus(err error) int {
	switch {
	case errors.Is(err, app.ErrSlowDown):
		return http.StatusTooManyRequests
	case errors.Is(err, app.ErrNoRole):
		return http.StatusForbidden
	case errors.Is(err, app.ErrProvider):
		return http.StatusBadGateway
	}
	return http.StatusUnauthorized
}

func signOut(c *Context) error {
	if err := c.App.SignOut(c.Ctx(), c.Caller); err != nil {
		return err
	}
	c.Keep(SessionCookie, "", -1)
	return c.Redirect(http.StatusSeeOther, "/signin")
}

// signInDemo opens a session from one of the links that the demo printed. The
// token must not travel on in a Referer.
func signInDemo(c *Context) error {
	if !c.server.cfg.Demo {
		return errNoRoute
	}
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	token, _, err := c.App.SignInDemo(c.Ctx(), c.QueryParam("token"), c.RealIP())
	if errors.Is(err, app.ErrSignIn) {
		m := views.SignIn{Shell: c.shell(""), Error: "link-dead", Demo: true, Next: "/"}
		m.Shell.URL = "/signin"
		return c.Page(http.StatusUnauthorized, views.SignInPage(m))
	}
	if err != nil {
		return c.signInAgain(err, views.SignIn{Next: "/"})
	}
	c.Keep(SessionCookie, token, sessionLife)
	return c.Redirect(http.StatusSeeOther, "/")
}

func setupForm(c *Context) error {
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	m := views.Setup{Shell: c.shell(""), Token: c.QueryParam("token")}
	m.Shell.URL = "/signin"
	status := http.StatusOK
	if !c.App.SetupValid(c.Ctx(), m.Token) {
		m.Dead, status = true, http.StatusForbidden
	}
	return c.Page(status, views.SetupPage(m))
}

func setup(c *Context) error {
	m := views.Setup{Token: c.FormValue("token"), Name: c.FormValue("name")}
	token, _, err := c.App.Setup(c.Ctx(), m.Token, m.Name, c.FormValue("password"), c.RealIP())
	switch {
	case err == nil:
		c.Keep(SessionCookie, token, sessionLife)
		return c.Redirect(http.StatusSeeOther, "/")
	case errors.Is(err, app.ErrSetup):
		m.Dead = true
	case errors.Is(err, app.ErrInput), errors.Is(err, app.ErrPassword), errors.Is(err, app.ErrExists):
		m.Error, _ = c.say(problem(err, c.RequestID))
	default:
		return err
	}
	m.Shell = c.shell("")
	m.Shell.URL = "/signin"
	return c.Page(problem(err, c.RequestID).Status, views.SetupPage(m))
}
