package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/policy/identity"
)

// identityError brings an error of package identity into this package's terms.
func identityError(err error) error {
	var wait *identity.DelayError
	switch {
	case errors.As(err, &wait):
		return fail(ErrSlowDown, fmt.Sprintf("wait %d s", max(1, int(wait.Wait.Seconds()+0.5))), "sign-in waits after failed attempts")
	case errors.Is(err, identity.ErrCredentials):
		return fail(ErrSignIn, "check both and try again", "nobody signed in")
	case errors.Is(err, identity.ErrCode):
		return fail(ErrCode, "wait for the next code of the app, or use a recovery code", "it is wrong, was used, or is too old")
	case errors.Is(err, identity.ErrNoRole):
		return fail(ErrNoRole, "ask whoever manages your groups there", "the identity provider knows you, but none of your groups has a role here")
	case errors.Is(err, identity.ErrBusy):
		return fail(ErrBusy, "try again in a moment", "many people sign in at once")
	case errors.Is(err, identity.ErrSession):
		return fail(ErrSession, "sign in", "the session or key is not valid, or not any more")
	case errors.Is(err, identity.ErrSetup):
		return fail(ErrSetup, "start the server again for a new link", "it was used, is over 30 minutes old, or an administrator exists")
	case errors.Is(err, identity.ErrInvitation):
		return fail(ErrSetup, "ask an administrator for a new one", "the invitation was used, replaced, or is over three days old")
	case errors.Is(err, identity.ErrPassword):
		return fail(ErrPassword, "choose another one", "%s", plain(err))
	case errors.Is(err, identity.ErrName):
		return fail(ErrInput, "change it and try again", "%s", plain(err))
	case errors.Is(err, identity.ErrExists):
		return fail(ErrExists, "choose another name", "the name is taken")
	case errors.Is(err, identity.ErrLastAdmin):
		return fail(ErrConflict, "make another administrator first", "the last administrator must stay")
	case errors.Is(err, identity.ErrNotFound):
		return notFound("account or key")
	}
	return err
}

// SignIn opens a session. address is the client's network address: it delays guessing,
// and the log holds a commitment to it. The attempt is recorded either way.
//
// Where the account has an authenticator app, the error is ErrCodeDue and token is what
// [App.SignInCode] takes; it opens nothing.
//
// Errors: ErrSignIn, which does not say what was wrong; ErrCodeDue; ErrSlowDown; ErrBusy.
func (a *App) SignIn(ctx context.Context, name, password, address string) (token string, c identity.Caller, err error) {
	u, err := a.people.Authenticate(ctx, a.workspace, name, password, address)
	if errors.Is(err, identity.ErrCredentials) {
		if err := a.signInFailed(ctx, name, address, identity.AuthPassword, "wrong-credentials"); err != nil {
			return "", c, err
		}
	}
	if err != nil {
		return "", c, identityError(err)
	}
	due, err := a.people.HasFactor(ctx, u.ID)
	if err != nil {
		return "", c, identityError(err)
	}
	if due {
		if token, err = a.people.OpenPending(ctx, u); err != nil {
			return "", c, err
		}
		return token, c, fail(ErrCodeDue, "type the code that the authenticator app shows", "the password is right")
	}
	return a.openSession(ctx, u, identity.AuthPassword, address)
}

// SignInDemo opens a session from a demo link; the link works while the process lives.
func (a *App) SignInDemo(ctx context.Context, linkToken, address string) (token string, c identity.Caller, err error) {
	u, err := a.people.DemoUser(ctx, linkToken, address)
	if errors.Is(err, identity.ErrCredentials) {
		if err := a.signInFailed(ctx, "", address, identity.AuthDemoLink, "wrong-credentials"); err != nil {
			return "", c, err
		}
	}
	if err != nil {
		return "", c, identityError(err)
	}
	return a.openSession(ctx, u, identity.AuthDemoLink, address)
}

func (a *App) signInFailed(ctx context.Context, name, address, auth, reason string) error {
	id := ulid.Make().String()
	own, err := a.ownKey(ctx, subjectSignIn)
	if err != nil {
		return err
	}
	key, err := audit.RecordKey(own, id)
	if err != nil {
		return err
	}
	e := audit.Event{ID: id, Code: "SESSION.OPENED.FAILED", Actor: "anonymous", Auth: auth, Reason: reason,
		Commitments: map[string]string{"address": audit.Commit(key, "address", []byte(address))}}
	if name != "" {
		e.Commitments["account"] = audit.Commit(key, "account", []byte(name))
	}
	_, err = a.log.Append(ctx, e)
	return err
}

func (a *App) openSession(ctx context.Context, u identity.User, auth, address string) (token string, c identity.Caller, err error) {
	own, err := a.ownKey(ctx, u.ID)
	if err != nil {
		return "", c, err
	}
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if token, c, err = a.people.OpenSession(ctx, u, auth); err != nil {
			return err
		}
		key, err := audit.RecordKey(own, c.SessionID)
		if err != nil {
			return err
		}
		_, err = a.log.Append(ctx, audit.Event{Code: "SESSION.OPENED.OK", Actor: u.ID, Auth: auth, Object: "session:" + c.SessionID,
			Commitments: map[string]string{"address": audit.Commit(key, "address", []byte(address))}})
		return err
	})
	if err != nil {
		return "", identity.Caller{}, identityError(err)
	}
	return token, c, nil
}

// SignOut ends the caller's session. A caller without one (a key) has nothing to end.
func (a *App) SignOut(ctx context.Context, c identity.Caller) error {
	if c.SessionID == "" {
		return nil
	}
	return a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.people.CloseSession(ctx, c.SessionID); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "SESSION.CLOSED.OK", Actor: c.ID, Auth: c.Auth, Object: "session:" + c.SessionID})
		return err
	})
}

// Session returns the caller of a session token: ErrSession where there is none.
func (a *App) Session(ctx context.Context, token string) (identity.Caller, error) {
	c, err := a.people.Session(ctx, token)
	return c, identityError(err)
}

// APIKey returns the caller of an API key: ErrSession where it is not valid,
// ErrSlowDown after wrong keys from the same address.
func (a *App) APIKey(ctx context.Context, key, address string) (identity.Caller, error) {
	c, err := a.people.APIKey(ctx, key, address)
	return c, identityError(err)
}

// SetupToken returns a fresh token for the one-time set-up link and ends the one
// before; "" once an administrator exists.
func (a *App) SetupToken(ctx context.Context) (string, error) { return a.people.SetupToken(ctx) }

// SetupValid says whether a set-up link still works.
func (a *App) SetupValid(ctx context.Context, setupToken string) bool {
	return a.people.SetupValid(ctx, setupToken)
}

// Setup makes the first administrator from the one-time link, and signs in.
func (a *App) Setup(ctx context.Context, setupToken, name, password, address string) (token string, c identity.Caller, err error) {
	if !a.people.SetupValid(ctx, setupToken) {
		return "", c, identityError(identity.ErrSetup)
	}
	hash, err := a.people.HashPassword(ctx, password, name)
	if err != nil {
		return "", c, identityError(err)
	}
	own, err := a.ownKey(ctx, "system:setup")
	if err != nil {
		return "", c, err
	}
	var u identity.User
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if u, err = a.people.Setup(ctx, setupToken, a.workspace, name, hash); err != nil {
			return err
		}
		return a.logUserAdded(ctx, audit.Event{Actor: "anonymous", Auth: "setup-link"}, own, u, "setup-link")
	})
	if err != nil {
		return "", c, identityError(err)
	}
	return a.openSession(ctx, u, identity.AuthPassword, address)
}
