package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"rsc.io/qr"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/account", SignedIn, accountPage)
	page(http.MethodPost, "/account/password", SignedIn, changePassword)
	page(http.MethodPost, "/account/sessions", SignedIn, endSession)
	page(http.MethodPost, "/account/authenticator", SignedIn, enrolFactor)
	page(http.MethodPost, "/account/authenticator/confirm", SignedIn, confirmFactor)
	page(http.MethodPost, "/account/authenticator/remove", SignedIn, removeFactor)
	page(http.MethodGet, "/signin/code", Public, signInCodeForm)
	page(http.MethodPost, "/signin/code", Public, signInCode)
	page(http.MethodGet, "/prove", SignedIn, proveForm)
	page(http.MethodPost, "/prove", SignedIn, prove)
}

// pendingCookie holds the token of a sign-in whose code is due.
const pendingCookie = "signin"

func (c *Context) account() (views.Account, error) {
	m := views.Account{Shell: c.shell("account")}
	v, err := c.App.Self(c.Ctx(), c.Caller)
	if err != nil {
		return m, err
	}
	m.Roles, m.Password, m.Factor, m.Recovery = v.Roles, v.Password, v.Factor, v.Recovery
	for _, s := range v.Sessions {
		m.Sessions = append(m.Sessions, views.AccountSession(s))
	}
	if m.Factor == nil {
		f, err := c.App.WaitingFactor(c.Ctx(), c.Caller)
		switch {
		case err == nil:
			if m.Enrol, err = authenticator(f); err != nil {
				return m, err
			}
		case !errors.Is(err, app.ErrNotFound) && !errors.Is(err, app.ErrProof):
			return m, err
		}
	}
	return m, nil
}

func authenticator(f *app.NewFactor) (*views.Authenticator, error) {
	code, err := qr.Encode(f.URI, qr.M)
	if err != nil {
		return nil, fmt.Errorf("web: drawing the code of an authenticator: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return &views.Authenticator{Secret: f.Secret, URI: f.URI, QR: views.QR{Size: code.Size, Path: path.String()}}, nil
}

var accountDone = []string{"password", "authenticator-removed", "session-ended"}

func accountPage(c *Context) error {
	m, err := c.account()
	if err != nil {
		return err
	}
	for _, done := range accountDone {
		if c.QueryParam("done") == done {
			m.Done = done
		}
	}
	return c.Page(http.StatusOK, views.AccountPage(m))
}

// accountAgain shows the page with the error of one of its forms.
func (c *Context) accountAgain(cause error, part string) error {
	p := problem(cause, c.RequestID)
	if p.Status >= http.StatusInternalServerError || errors.Is(cause, app.ErrProof) {
		return cause
	}
	m, err := c.account()
	if err != nil {
		return err
	}
	m.Part = part
	m.Error, m.Hint = c.say(p)
	return c.Page(p.Status, views.AccountPage(m))
}

func accountIs(c *Context, done string) error {
	return c.Redirect(http.StatusSeeOther, "/account?done="+done)
}

func changePassword(c *Context) error {
	if err := c.App.ChangePassword(c.Ctx(), c.Caller, c.FormValue("old"), c.FormValue("fresh"), c.RealIP()); err != nil {
		return c.accountAgain(err, "password")
	}
	return accountIs(c, "password")
}

func endSession(c *Context) error {
	if err := c.App.EndSession(c.Ctx(), c.Caller, c.FormValue("id")); err != nil {
		return err
	}
	return accountIs(c, "session-ended")
}

func enrolFactor(c *Context) error {
	if _, err := c.App.EnrolFactor(c.Ctx(), c.Caller); err != nil {
		return c.accountAgain(err, "authenticator")
	}
	return c.Redirect(http.StatusSeeOther, "/account#authenticator-h")
}

func confirmFactor(c *Context) error {
	codes, err := c.App.ConfirmFactor(c.Ctx(), c.Caller, c.FormValue("code"))
	if err != nil {
		return c.accountAgain(err, "authenticator")
	}
	m, err := c.account()
	if err != nil {
		return err
	}
	m.Codes = codes
	return c.Page(http.StatusOK, views.AccountPage(m))
}

func removeFactor(c *Context) error {
	if err := c.App.RemoveFactor(c.Ctx(), c.Caller); err != nil {
		return c.accountAgain(err, "authenticator")
	}
	return accountIs(c, "authenticator-removed")
}

func signInCodeForm(c *Context) error {
	if c.CookieValue(pendingCookie) == "" {
		return c.Redirect(http.StatusSeeOther, "/signin")
	}
	return c.Page(http.StatusOK, views.SignInCodePage(views.SignInCode{Shell: c.shell(""), Next: localPath(c.QueryParam("next"))}))
}

func signInCode(c *Context) error {
	next := localPath(c.FormValue("next"))
	token, _, err := c.App.SignInCode(c.Ctx(), c.CookieValue(pendingCookie), c.FormValue("code"), c.RealIP())
	if errors.Is(err, app.ErrSession) {
		c.Keep(pendingCookie, "", -1)
		return c.Redirect(http.StatusSeeOther, "/signin?"+url.Values{"next": {next}}.Encode())
	}
	if err != nil {
		m := views.SignInCode{Next: next}
		if m.Error, m.Wait = c.refusedSignIn(err); m.Error == "" {
			return err
		}
		m.Shell = c.shell("")
		return c.Page(problem(err, c.RequestID).Status, views.SignInCodePage(m))
	}
	c.Keep(pendingCookie, "", -1)
	c.Keep(SessionCookie, token, sessionLife)
	return c.Redirect(http.StatusSeeOther, next)
}

// proves are the actions that change who may do what, or take data out: a browser that
// was left open must not be enough for them.
var proves = map[Access]bool{
	policy.PolicyEdit: true, policy.PolicyApprove: true, policy.UserManage: true, policy.KeyManage: true,
	policy.Export: true, policy.PrivacyManage: true,
}

// proven refuses a write to a route of proves by a caller whose sign-in is too long ago.
func (c *Context) proven(r *route) error {
	if !proves[r.access] || c.Request().Method == http.MethodGet || c.Request().Method == http.MethodHead {
		return nil
	}
	return c.App.Proven(c.Caller)
}

func (c *Context) provePage(status int, m views.Prove) error {
	v, err := c.App.Self(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	m.Shell, m.Factor, m.Password = c.shell(""), v.Factor != nil, v.Password
	m.Shell.URL = "/prove"
	return c.Page(status, views.ProvePage(m))
}

// came is the page of this server that a form was sent from, to go back to.
func (c *Context) came() string {
	u, err := url.Parse(c.Request().Referer())
	if err != nil || u.Host != c.Request().Host {
		return "/"
	}
	return localPath(u.RequestURI())
}

func proveForm(c *Context) error {
	return c.provePage(http.StatusOK, views.Prove{Next: localPath(c.QueryParam("next"))})
}

func prove(c *Context) error {
	next := localPath(c.FormValue("next"))
	err := c.App.Prove(c.Ctx(), c.Caller, c.FormValue("password"), c.FormValue("code"), c.RealIP())
	if err == nil {
		return c.Redirect(http.StatusSeeOther, next)
	}
	m := views.Prove{Next: next}
	if m.Error, m.Wait = c.refusedSignIn(err); m.Error == "" {
		return err
	}
	return c.provePage(problem(err, c.RequestID).Status, m)
}

// refusedSignIn names the error of a sign-in for the catalogue, with the seconds to
// wait; "" for an error that is not about signing in.
func (c *Context) refusedSignIn(err error) (key string, wait int) {
	switch {
	case errors.Is(err, app.ErrCode):
		return "code-wrong", 0
	case errors.Is(err, app.ErrSignIn), errors.Is(err, app.ErrInput):
		return "wrong", 0
	case errors.Is(err, app.ErrNoRole):
		return "no-role", 0
	case errors.Is(err, app.ErrProvider):
		return "provider-down", 0
	case errors.Is(err, app.ErrSlowDown):
		if n, e := strconv.Atoi(seconds.FindString(app.Hint(err))); e == nil {
			wait = n
			c.Response().Header().Set("Retry-After", strconv.Itoa(n))
		}
		return "delayed", wait
	}
	return "", 0
}
