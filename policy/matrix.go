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

// Edit is one change of a matrix cell. Effect is "allow", "deny" or "none".
// Condition and Obligations nil keep what the cell's allow rule has; a deny
// without a condition denies always.
type Edit struct {
	Role        string
	Action      Action
	Effect      string
	Condition   *string
	Obligations *Obligations
	// KeepOthers leaves the role's rules of the other effect that have a condition:
	// an allow rule is changed and "denied for credit scoring" stays.
	KeepOthers bool
}

// SetCell returns the rules with one matrix cell set: "allow" and "deny" leave
// exactly one rule for every object, "none" leaves none; whatever other rules
// the role had for the action are gone, but for what KeepOthers keeps. A new allow rule carries the obligations
// that the shipped policy has in that cell.
func SetCell(rules []Rule, workspace string, e Edit) ([]Rule, error) {
	if !isName(e.Role) || !e.Action.Known() {
		return nil, fmt.Errorf("%w: no cell %s × %s", ErrRule, quote(e.Role), quote(string(e.Action)))
	}
	if e.Effect != CellAllow && e.Effect != CellDeny && e.Effect != CellNone {
		return nil, fmt.Errorf("%w: a cell is set to allow, deny or none, not %s", ErrRule, quote(e.Effect))
	}
	out := make([]Rule, 0, len(rules)+1)
	var same, other *Rule
	for _, r := range rules {
		if r.Subject != "role:"+e.Role || r.Action != e.Action {
			out = append(out, r)
			continue
		}
		if e.KeepOthers && r.Condition != "" && r.Effect != e.Effect {
			out = append(out, r)
			continue
		}
		if other == nil {
			other = &r
		}
		if same == nil && r.Effect == e.Effect {
			same = &r
		}
	}
	if e.Effect == CellNone {
		return out, nil
	}
	r := Rule{Workspace: workspace, Subject: "role:" + e.Role, Object: e.Action.DefaultObject(), Action: e.Action, Effect: e.Effect}
	switch {
	case same != nil && e.Effect == CellAllow:
		r.ID, r.Condition, r.Obligations = same.ID, same.Condition, same.Obligations
	case other != nil:
		r.ID = other.ID
	default:
		r.ID = freeID(rules)
	}
	if same == nil && e.Effect == CellAllow {
		r.Obligations = shippedObligations(e.Role, e.Action)
	}
	if e.Condition != nil {
		r.Condition = *e.Condition
	}
	if e.Obligations != nil && e.Effect == CellAllow {
		r.Obligations = *e.Obligations
	}
	out = append(out, r)
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// freeID is the first unused id of the form r-NNN.
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
