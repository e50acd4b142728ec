package policy

import (
	"fmt"
	"slices"
	"strings"
)

// States of a matrix cell.
const (
	CellNone        = "none"        // no rule: the answer is no
	CellAllow       = "allow"       // an unconditional allow rule for every object
	CellConditional = "conditional" // rules that depend on object or condition
	CellDeny        = "deny"        // an unconditional deny rule for every object
	CellInherited   = "inherited"   // no rule of its own, an allow rule of an inherited role
)

// Cell is one role × action of the matrix.
type Cell struct {
	Role   string
	Action Action
	State  string
	Rules  []Rule // the role's own rules of this action, sorted by id
}

// Matrix returns one row per action and one cell per role, in the order of
// Actions and Roles.
func (s *Snapshot) Matrix() [][]Cell {
	rows := make([][]Cell, len(Actions))
	for i, a := range Actions {
		for _, role := range Roles {
			rows[i] = append(rows[i], s.cell(role, a))
		}
	}
	return rows
}

func (s *Snapshot) cell(role string, a Action) Cell {
	c := Cell{Role: role, Action: a, State: CellNone}
	principals := s.roles.closure(Subject{ID: "role:" + role})
	inherited := false
	for _, r := range s.byAction[a] {
		_, in := principals[r.Subject]
		if r.Subject != "role:"+role {
			inherited = inherited || in && r.Effect == EffectAllow
			continue
		}
		c.Rules = append(c.Rules, *r.Rule)
		open := r.Condition == "" && (r.Object == "*" || r.Object == a.DefaultObject())
		switch {
		case open && r.Effect == EffectDeny:
			c.State = CellDeny
		case c.State == CellDeny:
		case !open:
			c.State = CellConditional
		case c.State == CellNone:
			c.State = CellAllow
		}
	}
	if c.State == CellNone && inherited {
		c.State = CellInherited
	}
	return c
}

// SetCell returns the rules with one matrix cell set: "allow" and "deny" leave
// exactly one unconditional rule for every object, "none" leaves none. Conditional
// rules of the cell are replaced too. A new allow rule carries the obligations
// that the shipped policy has there, and keeps those of the rule it replaces.
func SetCell(rules []Rule, workspace, role string, a Action, state string) ([]Rule, error) {
	if !isName(role) || !a.Known() {
		return nil, fmt.Errorf("%w: no cell %s × %s", ErrRule, quote(role), quote(string(a)))
	}
	if state != CellAllow && state != CellDeny && state != CellNone {
		return nil, fmt.Errorf("%w: a cell is set to allow, deny or none, not %s", ErrRule, quote(state))
	}
	subject := "role:" + role
	var out []Rule
	var replaced *Rule
	for _, r := range rules {
		if r.Subject != subject || r.Action != a {
			out = append(out, r)
		} else if replaced == nil || replaced.Effect != EffectAllow && r.Effect == EffectAllow {
			replaced = &r
		}
	}
	if state == CellNone {
		return out, nil
	}
	r := Rule{ID: freeID(rules), Workspace: workspace, Subject: subject, Object: a.DefaultObject(), Action: a, Effect: state}
	if replaced != nil {
		r.ID = replaced.ID
	}
	if state == CellAllow {
		r.Obligations = shippedObligations(role, a)
		if replaced != nil && replaced.Effect == EffectAllow {
			r.Obligations = replaced.Obligations
		}
	}
	out = append(out, r)
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// freeID is the first unused id of the form r-NNN, above every used one below
// r-900, where the shipped deny rules start.
func freeID(rules []Rule) string {
	used := map[string]bool{}
	for _, r := range rules {
		used[r.ID] = true
	}
	for n := 1; ; n++ {
		if id := fmt.Sprintf("r-%03d", n); !used[id] {
			return id
		}
	}
}
