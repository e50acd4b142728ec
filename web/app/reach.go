package app

import (
	"context"
	"strings"

	"vitrine/policy"
	"vitrine/policy/identity"
)

// ReachView answers who can do something, or what somebody can do.
type ReachView struct {
	PolicyVersion int64         `json:"policy_version"`
	PolicyHash    string        `json:"policy_hash"`
	Items         []ReachedView `json:"items"`
}

// ReachedView is one way of one subject: a role, a person or a key. Name is there for
// callers who may manage accounts.
type ReachedView struct {
	policy.Access
	Name string `json:"name,omitempty"`
}

// WhoCan returns the roles, people and keys that can ever perform the action on the
// object, with the way that each has. A disabled account cannot do anything and is not
// listed. ErrInput for an action or object that is none.
func (a *App) WhoCan(ctx context.Context, c identity.Caller, action, object string) (*ReachView, error) {
	s, err := a.reachable(ctx, c)
	if err != nil {
		return nil, err
	}
	act := policy.Action(action)
	if !act.Known() {
		return nil, fail(ErrInput, "use one of the actions of the matrix", "%q is not an action", clip(action))
	}
	if object == "" {
		object = strings.TrimSuffix(act.DefaultObject(), "*") + "any"
	}
	subjects, names, err := a.subjects(ctx, c)
	if err != nil {
		return nil, err
	}
	v := &ReachView{PolicyVersion: s.Version(), PolicyHash: s.Hash(), Items: []ReachedView{}}
	for _, x := range s.WhoCan(act, object, subjects) {
		v.Items = append(v.Items, ReachedView{Access: x, Name: names[x.Subject]})
	}
	return v, nil
}

// WhatCan returns everything that one role, person or key can ever do. ErrNotFound for
// a subject that this workspace does not have.
func (a *App) WhatCan(ctx context.Context, c identity.Caller, subject string) (*ReachView, error) {
	s, err := a.reachable(ctx, c)
	if err != nil {
		return nil, err
	}
	subjects, names, err := a.subjects(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, x := range subjects {
		if x.ID != subject {
			continue
		}
		v := &ReachView{PolicyVersion: s.Version(), PolicyHash: s.Hash(), Items: []ReachedView{}}
		for _, y := range s.WhatCan(x) {
			v.Items = append(v.Items, ReachedView{Access: y, Name: names[subject]})
		}
		return v, nil
	}
	return nil, fail(ErrNotFound, "write role:NAME, or the id of an account or key as who-can lists it", "this workspace has no subject %q", clip(subject))
}

func (a *App) reachable(ctx context.Context, c identity.Caller) (*policy.Snapshot, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.PolicyRead, denied: "POLICY.READ.DENIED"}); err != nil {
		return nil, err
	}
	return a.policies.Active(ctx, a.workspace)
}

// subjects are all roles, and every account and key that is not disabled.
func (a *App) subjects(ctx context.Context, c identity.Caller) (list []policy.Subject, names map[string]string, err error) {
	names = map[string]string{}
	for _, r := range policy.Roles {
		list = append(list, policy.Subject{ID: "role:" + r})
	}
	users, err := a.people.Users(ctx, a.workspace)
	if err != nil {
		return nil, nil, identityError(err)
	}
	keys, err := a.people.Keys(ctx, a.workspace)
	if err != nil {
		return nil, nil, identityError(err)
	}
	named := a.decide(ask{caller: c, action: policy.UserManage}).Allow
	for _, u := range users {
		if u.Disabled.IsZero() {
			list = append(list, policy.Subject{ID: u.ID, Roles: u.Roles})
			if named {
				names[u.ID] = u.Name
			}
		}
	}
	now := a.config.Now()
	for _, k := range keys {
		if k.Disabled.IsZero() && (k.Expires.IsZero() || k.Expires.After(now)) {
			list = append(list, policy.Subject{ID: k.ID, Roles: k.Roles})
			if named {
				names[k.ID] = k.Name
			}
		}
	}
	return list, names, nil
}

// Evaluate answers for another system whether a subject may do something now, as the
// policy would answer the subject itself. It records nothing: the system that asked
// enforces the answer and accounts for it.
func (a *App) Evaluate(ctx context.Context, c identity.Caller, list []policy.Request) ([]DecisionView, error) {
	s, err := a.reachable(ctx, c)
	if err != nil {
		return nil, err
	}
	subjects, _, err := a.subjects(ctx, c)
	if err != nil {
		return nil, err
	}
	roles := map[string][]string{}
	for _, x := range subjects {
		roles[x.ID] = x.Roles
	}
	out := make([]DecisionView, len(list))
	for i, r := range list {
		r.Workspace = a.workspace
		r.Subject.Roles = roles[r.Subject.ID] // what the asking system believes does not count
		out[i] = decisionView(s.Decide(r))
	}
	return out, nil
}

// PolicyFile is the policy in force as Casbin's tools read it.
func (a *App) PolicyFile(ctx context.Context, c identity.Caller) ([]byte, error) {
	s, err := a.reachable(ctx, c)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := policy.WriteCSV(&b, s.Rules(), s.Groups()); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
