package policy

import (
	"slices"
	"strings"
)

// Access is one subject's way to one action on one object, whatever the purpose,
// data class, method or authentication: the allow rules that can let it through,
// with how the subject comes to each, and the deny rules that can stop it.
type Access struct {
	Subject string     `json:"subject"`
	Action  Action     `json:"action"`
	Object  string     `json:"object"`
	Always  bool       `json:"always"` // some rule allows and none denies, in every context
	Allows  []Rule     `json:"allows"`
	Paths   [][]string `json:"paths"` // one for each of Allows, from the subject to the rule's subject
	Denies  []Rule     `json:"denies"`
}

// WhoCan returns those of the subjects that can ever perform the action on the
// object, in the order given. A subject that an unconditional deny rule stops is
// left out, and so is one whose rules cannot hold.
func (s *Snapshot) WhoCan(action Action, object string, subjects []Subject) []Access {
	var out []Access
	for _, sub := range subjects {
		if a, ok := s.access(sub, action, object); ok {
			out = append(out, a)
		}
	}
	return out
}

// WhatCan returns everything that the subject can ever do, by action in the order
// of Actions, one entry for each object pattern that an allow rule of it names.
func (s *Snapshot) WhatCan(sub Subject) []Access {
	var out []Access
	principals := s.roles.closure(withKinds(sub))
	for _, action := range Actions {
		var patterns []string
		for _, r := range s.byAction[action] {
			if _, ok := principals[r.Subject]; ok && r.Effect == EffectAllow {
				patterns = append(patterns, r.Object)
			}
		}
		for _, p := range union(patterns, nil) {
			if a, ok := s.access(sub, action, p); ok {
				out = append(out, a)
			}
		}
	}
	return out
}

// access collects the rules that cover the object, itself perhaps a pattern: a
// deny rule for a part of it counts as one that can stop.
func (s *Snapshot) access(sub Subject, action Action, object string) (Access, bool) {
	sub = withKinds(sub)
	a := Access{Subject: sub.ID, Action: action, Object: object, Allows: []Rule{}, Denies: []Rule{}, Paths: [][]string{}}
	principals := s.roles.closure(sub)
	open, closed := false, false
	for _, r := range s.byAction[action] {
		if _, in := principals[r.Subject]; !in || r.cond.contradictory() {
			continue
		}
		whole := r.Object == object || r.object.match(object)
		switch {
		case r.Effect == EffectAllow && whole:
			a.Allows = append(a.Allows, *r.Rule)
			a.Paths = append(a.Paths, pathTo(principals, r.Subject))
			open = open || r.Condition == ""
		case r.Effect == EffectDeny && (whole || r.object.match(example(object))):
			a.Denies = append(a.Denies, *r.Rule)
			closed = closed || whole && r.Condition == ""
		}
	}
	a.Always = open && len(a.Denies) == 0
	return a, len(a.Allows) > 0 && !closed
}

// withKinds writes the roles with their kind.
func withKinds(sub Subject) Subject {
	roles := make([]string, len(sub.Roles))
	for i, r := range sub.Roles {
		roles[i] = "role:" + strings.TrimPrefix(r, "role:")
	}
	slices.Sort(roles)
	sub.Roles = slices.Compact(roles)
	return sub
}

// Subjects are the known roles and whatever else the rules and groupings name.
func (s *Snapshot) Subjects() []Subject {
	var out []Subject
	for _, id := range subjects(s) {
		out = append(out, Subject{ID: id})
	}
	return out
}
