package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// MemberView is an account with how it signs in.
type MemberView struct {
	UserView
	Password bool
	Factor   bool
	// Invited is until when the link to choose a password works; nil without one.
	Invited *time.Time
}

// Members lists the accounts of the workspace by name.
func (a *App) Members(ctx context.Context, c identity.Caller) ([]MemberView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.UserManage, denied: "USER.READ.DENIED"}); err != nil {
		return nil, err
	}
	list, err := a.people.Members(ctx, a.workspace)
	if err != nil {
		return nil, identityError(err)
	}
	out := make([]MemberView, len(list))
	for i, m := range list {
		out[i] = MemberView{userView(m.User), m.PasswordHash != "", m.Factor, moment(m.Invited)}
	}
	return out, nil
}

// InviteUser makes an account whose person chooses the password themselves, under the
// link token that is returned, shown once.
//
// Errors: [*Denied]; ErrUnknownRole; ErrInput for a name that breaks the rules; ErrExists.
func (a *App) InviteUser(ctx context.Context, c identity.Caller, name string, roleNames []string) (v *UserView, token string, err error) {
	d, err := a.allow(ctx, ask{caller: c, action: policy.UserManage, denied: "USER.ADDED.DENIED"})
	if err != nil {
		return nil, "", err
	}
	list, err := roles(roleNames)
	if err != nil {
		return nil, "", err
	}
	own, err := a.ownKey(ctx, c.ID)
	if err != nil {
		return nil, "", err
	}
	var u identity.User
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if u, err = a.people.AddUser(ctx, a.workspace, name, "", list); err != nil {
			return err
		}
		if token, err = a.people.Invite(ctx, u.ID); err != nil {
			return err
		}
		e := audit.Event{Actor: c.ID, Auth: c.Auth, Action: string(policy.UserManage), Decision: decisionLeaf(d)}
		return a.logUserAdded(ctx, e, own, u, "invitation")
	})
	if err != nil {
		return nil, "", identityError(err)
	}
	view := userView(u)
	return &view, token, nil
}

// changeUser does something to an account of the workspace that user.manage allows, and
// records it under the code of the change; role is what it ends with, "" for none.
func (a *App) changeUser(ctx context.Context, c identity.Caller, userID, change string, roles []string, do func(ctx context.Context, u identity.User) error) error {
	codes := map[string]string{"change": change}
	if len(roles) > 0 {
		codes["role"] = strings.Join(roles, "+")
	}
	d, err := a.allow(ctx, ask{caller: c, action: policy.UserManage, denied: "USER.CHANGED.DENIED", event: func(e *audit.Event) { e.Codes = codes }})
	if err != nil {
		return err
	}
	u, err := a.people.User(ctx, userID)
	if errors.Is(err, identity.ErrNotFound) || err == nil && u.Workspace != a.workspace {
		return notFound("account")
	}
	if err != nil {
		return identityError(err)
	}
	return identityError(a.db.Write(ctx, func(ctx context.Context) error {
		if err := do(ctx, u); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "USER.CHANGED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.UserManage),
			Object: u.ID, Decision: decisionLeaf(d), Codes: codes})
		return err
	}))
}

// InviteAgain makes a new link for an account, for who lost the first or forgot the
// password. Errors: [*Denied]; ErrNotFound, also for a closed account.
func (a *App) InviteAgain(ctx context.Context, c identity.Caller, userID string) (token string, err error) {
	err = a.changeUser(ctx, c, userID, "invited", nil, func(ctx context.Context, u identity.User) (err error) {
		token, err = a.people.Invite(ctx, u.ID)
		return err
	})
	return token, err
}

// SetUserRoles replaces the roles of an account and ends its sessions.
// Errors: [*Denied]; ErrUnknownRole; ErrNotFound; ErrConflict for the last administrator.
func (a *App) SetUserRoles(ctx context.Context, c identity.Caller, userID string, roleNames []string) error {
	list, err := roles(roleNames)
	if err != nil {
		return err
	}
	return a.changeUser(ctx, c, userID, "roles", list, func(ctx context.Context, u identity.User) error { return a.people.SetRoles(ctx, u.ID, list) })
}

// ResetFactor takes the authenticator app of somebody who lost it away, and ends their
// sessions: an administrator vouches for them. Errors: [*Denied]; ErrNotFound.
func (a *App) ResetFactor(ctx context.Context, c identity.Caller, userID string) error {
	return a.changeUser(ctx, c, userID, "authenticator-removed", nil, func(ctx context.Context, u identity.User) error {
		if err := a.people.RemoveFactor(ctx, u.ID); err != nil {
			return err
		}
		return a.people.CloseOthers(ctx, u.ID, "")
	})
}

// EndUserSessions signs somebody out everywhere. Errors: [*Denied]; ErrNotFound.
func (a *App) EndUserSessions(ctx context.Context, c identity.Caller, userID string) error {
	return a.changeUser(ctx, c, userID, "sessions-ended", nil, func(ctx context.Context, u identity.User) error { return a.people.CloseOthers(ctx, u.ID, "") })
}

// Invited is the name of whom a link invites. Errors: ErrSetup.
func (a *App) Invited(ctx context.Context, token string) (name string, err error) {
	u, err := a.people.Invited(ctx, token)
	return u.Name, identityError(err)
}

// AcceptInvitation sets the password that an invited person chose. It signs nobody in.
// Errors: ErrSetup; ErrPassword.
func (a *App) AcceptInvitation(ctx context.Context, token, password string) error {
	u, err := a.people.Invited(ctx, token)
	if err != nil {
		return identityError(err)
	}
	hash, err := a.people.HashPassword(ctx, password, u.Name)
	if err != nil {
		return identityError(err)
	}
	return identityError(a.db.Write(ctx, func(ctx context.Context) error {
		if _, err := a.people.AcceptInvitation(ctx, token, hash); err != nil {
			return err
		}
		return a.logAccount(ctx, u.ID, "invitation", "password")
	}))
}
