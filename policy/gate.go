package policy

import (
	"fmt"
	"slices"
)

// What happens to an explanation that falls short of a gate, from the mildest to the strictest.
const (
	GateWarn     = "warn"      // shown, with the reasons
	GateFallBack = "fall-back" // the next method is tried; with none left, withheld
	GateReview   = "review"    // somebody who decides reviews looks first
	GateWithhold = "withhold"  // not shown
)

// GateActions in order; a later one is stricter.
var GateActions = []string{GateWarn, GateFallBack, GateReview, GateWithhold}

// Gate is what the figures of an explanation must reach, and what follows where they do
// not. It counts on rules of the action explain, per model and purpose as any rule. Zero
// values ask nothing. The policy knows figures and methods by name only: package
// explain/gate applies a gate to the figures.
type Gate struct {
	Action string `json:"action"`
	// Better names figures that must be better than those of random attributions.
	Better []string `json:"better,omitempty"`
	// MaxGap is the largest completeness gap of methods that promise to add up.
	MaxGap float64 `json:"max_gap,omitempty"`
	// MaxP is the level at which a figure counts as better; 0 = 0.01.
	MaxP float64 `json:"max_p,omitempty"`
	// MinAgreement is the least mean rank correlation with the other methods run.
	MinAgreement *float64 `json:"min_agreement,omitempty"`
	// Next are the methods to fall back to, in order.
	Next []string `json:"next,omitempty"`
	// Sanity asks for a passed randomisation check of the model version and method.
	Sanity bool `json:"sanity,omitempty"`
}

// check validates the words and bounds of a gate.
func (g *Gate) check() error {
	if g == nil {
		return nil
	}
	for _, list := range [][]string{g.Better, g.Next} {
		if len(list) > maxList {
			return fmt.Errorf("a gate lists more than %d names", maxList)
		}
		for _, v := range list {
			if !isName(v) {
				return fmt.Errorf("gate value %s is not a name", quote(v))
			}
		}
	}
	switch {
	case !slices.Contains(GateActions, g.Action):
		return fmt.Errorf("gate action %s: use one of warn, fall-back, review, withhold", quote(g.Action))
	case g.Action == GateFallBack && len(g.Next) == 0:
		return fmt.Errorf("a gate that falls back must name the next methods")
	case !(g.MaxGap >= 0 && g.MaxGap <= 1e9):
		return fmt.Errorf("gate max_gap %g: use a share of the difference, 0.01 for 1 %%", g.MaxGap)
	case !(g.MaxP >= 0 && g.MaxP <= 1):
		return fmt.Errorf("gate max_p %g: use 0 to 1", g.MaxP)
	case g.MinAgreement != nil && !(*g.MinAgreement >= -1 && *g.MinAgreement <= 1):
		return fmt.Errorf("gate min_agreement %g: use -1 to 1", *g.MinAgreement)
	case len(g.Better) == 0 && g.MaxGap == 0 && g.MinAgreement == nil && !g.Sanity:
		return fmt.Errorf("a gate must ask for something: better, max_gap, min_agreement or sanity")
	}
	return nil
}

// normal is the canonical form: names that are asked for sorted without duplicates. The
// order of Next is its meaning and stays.
func (g *Gate) normal() *Gate {
	if g == nil {
		return nil
	}
	out := *g
	out.Better = union(g.Better, nil)
	if out.Action != GateFallBack {
		out.Next = nil
	}
	return &out
}

// combine is the gate that satisfies both: everything that either asks, the lower limit,
// the stricter action. Of two lists of methods to fall back to, those in both count, in
// order of id unless the lists are equal. The result does not depend on the order.
func (g *Gate) combine(h *Gate) *Gate {
	if g == nil || h == nil {
		if g == nil {
			return h
		}
		return g
	}
	out := &Gate{Better: union(g.Better, h.Better), MaxGap: lower(g.MaxGap, h.MaxGap), Sanity: g.Sanity || h.Sanity, MinAgreement: g.MinAgreement}
	// A level that is not set is the usual one.
	out.MaxP = min(g.level(), h.level())
	if h.MinAgreement != nil && (g.MinAgreement == nil || *h.MinAgreement > *g.MinAgreement) {
		out.MinAgreement = h.MinAgreement
	}
	out.Action = GateActions[max(slices.Index(GateActions, g.Action), slices.Index(GateActions, h.Action))]
	if out.Action != GateFallBack {
		return out
	}
	switch {
	case g.Action != GateFallBack:
		out.Next = h.Next
	case h.Action != GateFallBack || slices.Equal(g.Next, h.Next):
		out.Next = g.Next
	default:
		for _, m := range union(g.Next, nil) {
			if slices.Contains(h.Next, m) {
				out.Next = append(out.Next, m)
			}
		}
		if len(out.Next) == 0 {
			out.Action = GateWithhold // no method is one to fall back to for both
		}
	}
	return out
}

func (g *Gate) level() float64 {
	if g.MaxP == 0 {
		return 0.01
	}
	return g.MaxP
}

// lower is the smaller of two limits; 0 is none.
func lower(a, b float64) float64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
