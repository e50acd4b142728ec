package web

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"vitrine/policy/identity/oidc"
	"vitrine/views"
)

// flowLife is how long a sign-in through the identity provider may take; flowCookie is
// where the browser keeps what the answer must fit to.
const (
	flowLife   = 10 * time.Minute
	flowCookie = "oidc"
)

func init() {
	page(http.MethodGet, "/signin/oidc", Public, beginOIDC)
	page(http.MethodGet, "/signin/oidc/callback", Public, signInOIDC)
}

func beginOIDC(c *Context) error {
	next := localPath(c.QueryParam("next"))
	address, f, err := c.App.BeginOIDC(c.Ctx(), c.QueryParam("again") != "")
	if err != nil {
		return c.signInAgain(err, views.SignIn{Next: next})
	}
	c.Keep(flowCookie, strings.Join([]string{f.State, f.Nonce, f.Verifier, base64.RawURLEncoding.EncodeToString([]byte(next))}, "."), flowLife)
	return c.Redirect(http.StatusSeeOther, address)
}

// signInOIDC is where the provider sends the browser back to. The sign-in that it belongs
// to is over in any case: an answer works once.
func signInOIDC(c *Context) error {
	var f oidc.Flow
	next := "/"
	if kept := strings.Split(c.CookieValue(flowCookie), "."); len(kept) == 4 {
		f = oidc.Flow{State: kept[0], Nonce: kept[1], Verifier: kept[2]}
		if text, err := base64.RawURLEncoding.DecodeString(kept[3]); err == nil {
			next = localPath(string(text))
		}
	}
	c.Keep(flowCookie, "", -1)
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	token, _, err := c.App.SignInOIDC(c.Ctx(), f, oidc.Answer{State: c.QueryParam("state"), Code: c.QueryParam("code"),
		Issuer: c.QueryParam("iss"), Error: c.QueryParam("error")}, c.RealIP())
	if err != nil {
		return c.signInAgain(err, views.SignIn{Next: next})
	}
	if err := c.App.SignOut(c.Ctx(), c.Caller); err != nil { // the session before, where there was one
		return err
	}
	c.Keep(SessionCookie, token, sessionLife)
	return c.Redirect(http.StatusSeeOther, next)
}
