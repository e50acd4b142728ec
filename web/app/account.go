package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// Users lists the accounts of the workspace by name.
func (a *App) Users(ctx context.Context, c identity.Caller) ([]UserView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.UserManage, denied: "USER.READ.DENIED"}); err != nil {
		return nil, err
	}
	list, err := a.people.Users(ctx, a.workspace)
	if err != nil {
		return nil, identityError(err)
	}
	out := make([]UserView, len(list))
	for i, u := range list {
		out[i] = userView(u)
	}
	return out, nil
}

func userView(u identity.User) UserView {
	return UserView{ID: u.ID, Name: u.Name, Roles: u.Roles, Disabled: !u.Disabled.IsZero(), Created: u.Created.UTC()}
}

// roles checks role names, with or without their kind.
func roles(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, fail(ErrUnknownRole, "use one of "+strings.Join(policy.Roles, ", "), "no role was given")
	}
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = strings.TrimPrefix(r, "role:")
		if !policy.KnownRole(out[i]) {
			return nil, fail(ErrUnknownRole, "use one of "+strings.Join(policy.Roles, ", "), "%q is not a role", clip(r))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// AddUser makes an account that signs in by name and password.
//
// Errors: [*Denied]; ErrUnknownRole; ErrInput for a name or password that breaks the
// rules; ErrExists.
func (a *App) AddUser(ctx context.Context, c identity.Caller, name, password string, roleNames []string) (*UserView, error) {
	d, err := a.allow(ctx, ask{caller: c, action: policy.UserManage, denied: "USER.ADDED.DENIED"})
	if err != nil {
		return nil, err
	}
	list, err := roles(roleNames)
	if err != nil {
		return nil, err
	}
	hash, err := a.people.HashPassword(ctx, password, name)
	if err != nil {
		return nil, identityError(err)
	}
	own, err := a.ownKey(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var u identity.User
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if u, err = a.people.AddUser(ctx, a.workspace, name, hash, list); err != nil {
			return err
		}
		e := audit.Event{Actor: c.ID, Auth: c.Auth, Action: string(policy.UserManage), Decision: decisionLeaf(d)}
		return a.logUserAdded(ctx, e, own, u, "user-manage")
	})
	if err != nil {
		return nil, identityError(err)
	}
	v := userView(u)
	return &v, nil
}

// logUserAdded writes the entry of a new account: its name is committed to, not named.
func (a *App) logUserAdded(ctx context.Context, e audit.Event, own []byte, u identity.User, source string) error {
	key, err := audit.RecordKey(own, u.ID)
	if err != nil {
		return err
	}
	e.Code, e.Object = "USER.ADDED.OK", u.ID
	e.Commitments = map[string]string{"name": audit.Commit(key, "name", []byte(u.Name))}
	e.Codes = map[string]string{"role": strings.Join(u.Roles, "+"), "source": source}
	_, err = a.log.Append(ctx, e)
	return err
}

// DisableUser ends an account and its sessions at once. The last administrator stays.
func (a *App) DisableUser(ctx context.Context, c identity.Caller, name string) error {
	q := ask{caller: c, action: policy.UserManage, denied: "USER.DISABLED.DENIED"}
	d, err := a.allow(ctx, q)
	if err != nil {
		return err
	}
	u, err := a.people.UserByName(ctx, a.workspace, name)
	if errors.Is(err, identity.ErrNotFound) && strings.HasPrefix(name, "user:") {
		u, err = a.people.User(ctx, name)
	}
	if err != nil {
		return identityError(err)
	}
	if u.Workspace != a.workspace {
		return notFound("account")
	}
	return identityError(a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.people.DisableUser(ctx, u.ID); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "USER.DISABLED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.UserManage),
			Object: u.ID, Decision: decisionLeaf(d)})
		return err
	}))
}

// Keys lists the API keys of the workspace, newest first.
func (a *App) Keys(ctx context.Context, c identity.Caller) ([]KeyView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.KeyManage, denied: "KEY.READ.DENIED"}); err != nil {
		return nil, err
	}
	list, err := a.people.Keys(ctx, a.workspace)
	if err != nil {
		return nil, identityError(err)
	}
	out := make([]KeyView, len(list))
	for i, k := range list {
		out[i] = keyView(k)
	}
	return out, nil
}

func keyView(k identity.Key) KeyView {
	return KeyView{ID: k.ID, Name: k.Name, Prefix: k.Prefix, Roles: k.Roles, Expires: moment(k.Expires), LastUse: moment(k.Used),
		Disabled: !k.Disabled.IsZero(), Created: k.Created.UTC()}
}

// moment is a time that may be missing.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// AddKey makes an API key; expires zero = never. The key is in the answer and nowhere
// else.
func (a *App) AddKey(ctx context.Context, c identity.Caller, name string, roleNames []string, expires time.Time) (*NewKey, error) {
	d, err := a.allow(ctx, ask{caller: c, action: policy.KeyManage, denied: "KEY.ADDED.DENIED"})
	if err != nil {
		return nil, err
	}
	list, err := roles(roleNames)
	if err != nil {
		return nil, err
	}
	own, err := a.ownKey(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var k identity.Key
	var secret string
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if k, secret, err = a.people.AddKey(ctx, a.workspace, name, list, c.ID, expires); err != nil {
			return err
		}
		key, err := audit.RecordKey(own, k.ID)
		if err != nil {
			return err
		}
		e := audit.Event{Code: "KEY.ADDED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.KeyManage), Object: k.ID, Decision: decisionLeaf(d),
			Commitments: map[string]string{"name": audit.Commit(key, "name", []byte(k.Name))},
			Codes:       map[string]string{"role": strings.Join(k.Roles, "+")}}
		if !k.Expires.IsZero() {
			e.Numbers = map[string]int64{"days": int64(k.Expires.Sub(k.Created).Hours() / 24)}
		}
		_, err = a.log.Append(ctx, e)
		return err
	})
	if err != nil {
		return nil, identityError(err)
	}
	return &NewKey{Key: secret, Prefix: k.Prefix, KeyView: keyView(k)}, nil
}

// DisableKey ends an API key, given by its id, prefix or name, at once.
func (a *App) DisableKey(ctx context.Context, c identity.Caller, id string) error {
	d, err := a.allow(ctx, ask{caller: c, action: policy.KeyManage, denied: "KEY.DISABLED.DENIED"})
	if err != nil {
		return err
	}
	list, err := a.people.Keys(ctx, a.workspace)
	if err != nil {
		return identityError(err)
	}
	i := slices.IndexFunc(list, func(k identity.Key) bool { return k.ID == id || k.Prefix == id })
	if i < 0 {
		i = slices.IndexFunc(list, func(k identity.Key) bool { return k.Name == id && k.Disabled.IsZero() })
	}
	if i < 0 {
		return notFound("key")
	}
	k := list[i]
	err = a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.people.DisableKey(ctx, k.ID); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "KEY.DISABLED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.KeyManage),
			Object: k.ID, Decision: decisionLeaf(d)})
		return err
	})
	if err != nil {
		return fmt.Errorf("app: disabling a key: %w", identityError(err))
	}
	return nil
}
