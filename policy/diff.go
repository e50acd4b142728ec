package policy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Directions of a Change.
const (
	Gains      = "gains"      // something denied before is allowed
	Loses      = "loses"      // something allowed before is denied
	GainsLoses = "both"       // some of each
	Duties     = "obligation" // as much is allowed, under other obligations
)

// Change says what a new policy changes for one role and action. Contexts of
// Total were compared: every object the rules name and one they do not, times
// every purpose, data class and method that the rules distinguish.
type Change struct {
	Role      string
	Action    Action
	Direction string
	Gained    int // contexts
	Lost      int
	Duties    int
	Total     int
	Before    string // cell states
	After     string
	Example   Request // one context whose answer changes
}

// Diff compares two policies of one workspace by asking both every question
// they can tell apart, for every role and action. It is exact for roles;
// rules on single users and keys are compared under their own subject.
func Diff(before, after *Snapshot) []Change {
	var out []Change
	for _, subject := range subjects(before, after) {
		for _, a := range Actions {
			if c := diffCell(before, after, subject, a); c.Direction != "" {
				out = append(out, c)
			}
		}
	}
	return out
}

// subjects are the known roles in order, then whatever else the rules name.
func subjects(snaps ...*Snapshot) []string {
	var out, more []string
	for _, r := range Roles {
		out = append(out, "role:"+r)
	}
	for _, s := range snaps {
		for _, r := range s.rules {
			if !slices.Contains(out, r.Subject) {
				more = append(more, r.Subject)
			}
		}
		for _, g := range s.groups {
			if !slices.Contains(out, g.Member) {
				more = append(more, g.Member)
			}
		}
	}
	slices.Sort(more)
	return append(out, slices.Compact(more)...)
}

func diffCell(before, after *Snapshot, subject string, a Action) Change {
	role := strings.TrimPrefix(subject, "role:")
	c := Change{Role: role, Action: a}
	for _, r := range questions(before, after, subject, a) {
		c.Total++
		r.Workspace = before.workspace
		x := before.decide(r)
		r.Workspace = after.workspace
		y := after.decide(r)
		switch {
		case !x.Allow && y.Allow:
			c.Gained++
		case x.Allow && !y.Allow:
			c.Lost++
		case x.Allow && !sameObligations(x.Obligations, y.Obligations):
			c.Duties++
		default:
			continue
		}
		if c.Direction == "" {
			c.Example = r
		}
		c.Direction = direction(c)
	}
	if c.Direction != "" {
		c.Before, c.After = before.cell(role, a).State, after.cell(role, a).State
	}
	return c
}

func direction(c Change) string {
	switch {
	case c.Gained > 0 && c.Lost > 0:
		return GainsLoses
	case c.Gained > 0:
		return Gains
	case c.Lost > 0:
		return Loses
	}
	return Duties
}

func sameObligations(a, b Obligations) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// questions are the requests that rules on the action can answer differently.
func questions(before, after *Snapshot, subject string, a Action) []Request {
	objects := []string{objectKind[a] + ":any-other"}
	purposes, classes, methods, auths := []string{PurposeUnspecified}, []string{ClassDefault}, []string{""}, []string{"password"}
	for _, s := range []*Snapshot{before, after} {
		for _, r := range s.byAction[a] {
			objects = append(objects, example(r.Object))
			if len(r.cond.mentioned("purpose")) > 0 {
				purposes = Purposes
			}
			if len(r.cond.mentioned("data_class")) > 0 {
				classes = DataClasses
			}
			if len(r.cond.mentioned("auth")) > 0 {
				auths = Auths
			}
			if a == Explain {
				methods = append(methods, r.cond.mentioned("method")...)
				methods = append(methods, r.Obligations.Methods...)
				methods = append(methods, r.Obligations.ForbidMethods...)
			}
		}
	}
	var out []Request
	for _, o := range union(objects, nil) {
		for _, p := range purposes {
			for _, c := range classes {
				for _, m := range union(methods, nil) {
					for _, auth := range auths {
						out = append(out, Request{Subject: Subject{ID: subject}, Action: a, Object: o,
							Context: Context{Purpose: p, DataClass: c, Method: m, Auth: auth}})
					}
				}
			}
		}
	}
	return out
}

// example is an object that the pattern covers.
func example(pattern string) string {
	if pattern == "*" {
		return "model:any"
	}
	return strings.ReplaceAll(strings.ReplaceAll(pattern, "/:", "/any-"), "*", "any")
}
