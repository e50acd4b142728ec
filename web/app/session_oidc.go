package app

import (
	"context"
	"errors"

	"vitrine/audit"
	"vitrine/policy/identity"
	"vitrine/policy/identity/oidc"
)

// Provider is the name of the identity provider that people may sign in through; ""
// without one.
func (a *App) Provider() string {
	if a.provider == nil {
		return ""
	}
	return a.provider.Name()
}

// BeginOIDC returns the identity provider's address to send the browser to, and what the
// browser keeps meanwhile. again makes the person prove there who they are.
//
// Errors: ErrNotFound without a provider; ErrProvider.
func (a *App) BeginOIDC(ctx context.Context, again bool) (address string, f oidc.Flow, err error) {
	if a.provider == nil {
		return "", f, notFound("identity provider")
	}
	address, f, err = a.provider.Begin(ctx, again)
	return address, f, providerError(err)
}

// SignInOIDC opens a session for whom the identity provider signed in. The attempt is
// recorded either way.
//
// Errors: ErrSignIn, also for an account that is closed and an answer that is not of this
// sign-in; ErrNoRole; ErrProvider.
func (a *App) SignInOIDC(ctx context.Context, f oidc.Flow, answer oidc.Answer, address string) (token string, c identity.Caller, err error) {
	if a.provider == nil {
		return "", c, notFound("identity provider")
	}
	u, err := a.external(ctx, f, answer)
	if err != nil {
		reason := "wrong-credentials"
		switch {
		case errors.Is(err, ErrNoRole):
			reason = "no-role"
		case errors.Is(err, ErrProvider):
			reason = "provider-unavailable"
		}
		if err := a.signInFailed(ctx, "", address, identity.AuthOIDC, reason); err != nil {
			return "", c, err
		}
		return "", c, err
	}
	return a.openSession(ctx, u, identity.AuthOIDC, address)
}

func (a *App) external(ctx context.Context, f oidc.Flow, answer oidc.Answer) (u identity.User, err error) {
	p, err := a.provider.Finish(ctx, f, answer)
	if err != nil {
		return u, providerError(err)
	}
	own, err := a.ownKey(ctx, "system:oidc")
	if err != nil {
		return u, err
	}
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		added := false
		if u, added, err = a.people.External(ctx, a.workspace, p.Issuer, p.Subject, p.Name, p.Roles); err != nil || !added {
			return err
		}
		return a.logUserAdded(ctx, audit.Event{Actor: "anonymous", Auth: identity.AuthOIDC}, own, u, identity.AuthOIDC)
	})
	return u, identityError(err)
}

// providerError brings an error of package oidc into this package's terms.
func providerError(err error) error {
	switch {
	case errors.Is(err, oidc.ErrFlow):
		return fail(ErrSignIn, "begin again on the sign-in page", "the answer does not belong to a sign-in of this browser")
	case errors.Is(err, oidc.ErrRefused):
		return fail(ErrSignIn, "begin again on the sign-in page", "the identity provider did not sign you in")
	case errors.Is(err, oidc.ErrProvider):
		return errors.Join(fail(ErrProvider, "try again in a moment, or tell the operator", "the identity provider gave no usable answer"), err)
	}
	return err
}
