package app

import (
	"context"
	"errors"
	"time"

	"vitrine/audit"
	"vitrine/policy/identity"
)

// SelfView is what a person sees of their own account.
type SelfView struct {
	ID, Name string
	Roles    []string
	// Password: the account signs in by password, which can be changed here.
	Password bool
	// Factor is when the authenticator app was set up; nil without one.
	Factor   *time.Time
	Recovery int // recovery codes left
	Sessions []SessionView
}

// SessionView is one signed-in browser.
type SessionView struct {
	ID      string
	Auth    string
	Created time.Time
	Seen    time.Time
	Expires time.Time // ends then at the latest
	Own     bool      // the one that asks
}

// Self shows a person their own account. Errors: ErrConflict for a key.
func (a *App) Self(ctx context.Context, c identity.Caller) (*SelfView, error) {
	if err := person(c); err != nil {
		return nil, err
	}
	u, err := a.people.User(ctx, c.ID)
	if err != nil {
		return nil, identityError(err)
	}
	v := &SelfView{ID: u.ID, Name: u.Name, Roles: u.Roles, Password: u.PasswordHash != ""}
	f, err := a.people.Factor(ctx, c.ID)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return nil, identityError(err)
	}
	v.Factor, v.Recovery = moment(f.Confirmed), f.Recovery
	list, err := a.people.Sessions(ctx, c.ID)
	if err != nil {
		return nil, identityError(err)
	}
	for _, s := range list {
		v.Sessions = append(v.Sessions, SessionView{s.ID, s.Auth, s.Created.UTC(), s.Seen.UTC(), s.Expires.UTC(), s.ID == c.SessionID})
	}
	return v, nil
}

// EndSession ends one of the caller's own sessions; id "others" ends all but the
// caller's. Errors: ErrNotFound, also for somebody else's.
func (a *App) EndSession(ctx context.Context, c identity.Caller, id string) error {
	if err := person(c); err != nil {
		return err
	}
	list, err := a.people.Sessions(ctx, c.ID)
	if err != nil {
		return identityError(err)
	}
	found := false
	err = a.db.Write(ctx, func(ctx context.Context) error {
		for _, s := range list {
			if s.ID != id && (id != "others" || s.ID == c.SessionID) {
				continue
			}
			found = true
			if err := a.people.CloseSession(ctx, s.ID); err != nil {
				return err
			}
			if _, err := a.log.Append(ctx, audit.Event{Code: "SESSION.CLOSED.OK", Actor: c.ID, Auth: c.Auth, Object: "session:" + s.ID}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !found && id != "others" {
		return notFound("session")
	}
	return err
}

// ChangePassword replaces the caller's password and ends the other sessions.
//
// Errors: ErrSignIn for a wrong old one; ErrPassword for a new one that breaks the rules;
// ErrSlowDown; ErrConflict for an account without a password.
func (a *App) ChangePassword(ctx context.Context, c identity.Caller, old, fresh, address string) error {
	if err := a.passwordFits(ctx, c, old, address); err != nil {
		return err
	}
	hash, err := a.people.HashPassword(ctx, fresh, c.Name)
	if err != nil {
		return identityError(err)
	}
	return identityError(a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.people.SetPassword(ctx, c.ID, hash, c.SessionID); err != nil {
			return err
		}
		return a.logAccount(ctx, c.ID, c.Auth, "password")
	}))
}

// passwordFits checks the caller's own password, and records a wrong one.
func (a *App) passwordFits(ctx context.Context, c identity.Caller, password, address string) error {
	if err := person(c); err != nil {
		return err
	}
	u, err := a.people.User(ctx, c.ID)
	if err != nil {
		return identityError(err)
	}
	if u.PasswordHash == "" {
		return fail(ErrConflict, "sign out, and in again the way you did", "the account has no password")
	}
	_, err = a.people.Authenticate(ctx, a.workspace, u.Name, password, address)
	if errors.Is(err, identity.ErrCredentials) {
		if _, err := a.log.Append(ctx, audit.Event{Code: "SESSION.PROVED.FAILED", Actor: c.ID, Auth: c.Auth, Object: "session:" + c.SessionID,
			Reason: "wrong-credentials"}); err != nil {
			return err
		}
	}
	return identityError(err)
}

// Prove lets the person behind a session show again who they are: by the password and,
// where they have an authenticator app, a code.
//
// Errors: ErrSignIn; ErrCode; ErrSlowDown; ErrConflict for an account without a password.
func (a *App) Prove(ctx context.Context, c identity.Caller, password, code, address string) error {
	if err := a.passwordFits(ctx, c, password, address); err != nil {
		return err
	}
	due, err := a.people.HasFactor(ctx, c.ID)
	if err != nil {
		return identityError(err)
	}
	if due {
		if _, err := a.checkFactor(ctx, c.ID, code, address); err != nil {
			return err
		}
	}
	return identityError(a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.people.Prove(ctx, c.SessionID); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "SESSION.PROVED.OK", Actor: c.ID, Auth: c.Auth, Object: "session:" + c.SessionID})
		return err
	}))
}

// Proven gives ErrProof where a caller's sign-in is too long ago for acts that change who
// may do what, or take data out.
func (a *App) Proven(c identity.Caller) error {
	if a.people.Proven(c) {
		return nil
	}
	return fail(ErrProof, "confirm your password and send it again", "signing in was more than half an hour ago")
}

// mustProve is what acts on the own account need: a person who proved who they are.
func (a *App) mustProve(c identity.Caller) error {
	if err := person(c); err != nil {
		return err
	}
	return a.Proven(c)
}
