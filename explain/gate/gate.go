// Package gate decides whether an explanation is faithful enough to be shown: what a policy asks of the figures, and what
// happens where an explanation falls short. It is a pure function of its arguments.
package gate

import (
	"errors"
	"fmt"
	"slices"

	"vitrine/explain/metric"
)

// ErrRule: a rule contradicts itself; the message says how.
var ErrRule = errors.New("gate rule not usable")

// What happens to an explanation that falls short.
const (
	Warn     = "warn"      // shown, with the reasons
	FallBack = "fall-back" // the next method of the rule is tried
	Review   = "review"    // a person looks first
	Withhold = "withhold"  // not shown
)

// Rule is what a policy asks for one model and purpose. Zero values ask nothing.
type Rule struct {
	// MaxGap is the largest completeness gap, relative to |F(x)-F(b)|, of methods that promise to add up.
	MaxGap float64 `json:"max_gap,omitempty"`
	// Better names figures that must beat random attributions at MaxP (0 = 0.01) in at least one of their modes.
	Better []string `json:"better,omitempty"`
	MaxP   float64  `json:"max_p,omitempty"`
	// MinAgreement is the least mean Kendall tau with the other methods run.
	MinAgreement *float64 `json:"min_agreement,omitempty"`
	// Sanity asks for a passed parameter-randomisation check of this model version and method.
	Sanity bool `json:"sanity,omitempty"`
	// Action follows where anything is missed; Next are the methods to fall back to, in order.
	Action string   `json:"action"`
	Next   []string `json:"next,omitempty"`
}

// Evidence is what is known of an explanation.
type Evidence struct {
	Method   string
	Complete bool // the method promises to add up
	Figures  []metric.Figure
	Sanity   *bool // outcome of the randomisation check, nil where none was made
	Tried    []string
}

// Reason is one thing that was missed. Codes: gap, not-better, too-few-draws, agreement, sanity-failed, and no-figure,
// no-agreement, no-sanity where the evidence is not there: what was not measured does not pass.
type Reason struct {
	Code   string  `json:"code"`
	Figure string  `json:"figure,omitempty"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
}

// Decision is stored in the record and shown. Action is "" where everything is met; Next is the method to try where it is
// FallBack.
type Decision struct {
	Passed  bool     `json:"passed"`
	Action  string   `json:"action,omitempty"`
	Next    string   `json:"next,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Check says whether the rule makes sense. Errors wrap ErrRule.
func (r Rule) Check() error {
	switch {
	case !slices.Contains([]string{Warn, FallBack, Review, Withhold}, r.Action):
		return fmt.Errorf("gate: action %.40q is none of warn, fall-back, review, withhold: %w", r.Action, ErrRule)
	case r.Action == FallBack && len(r.Next) == 0:
		return fmt.Errorf("gate: fall-back names no next method: %w", ErrRule)
	case !(r.MaxGap >= 0) || !(r.MaxP >= 0 && r.MaxP <= 1):
		return fmt.Errorf("gate: a gap of %g and a p of %g are no limits: %w", r.MaxGap, r.MaxP, ErrRule)
	case r.MinAgreement != nil && !(*r.MinAgreement >= -1 && *r.MinAgreement <= 1):
		return fmt.Errorf("gate: an agreement of %g: %w", *r.MinAgreement, ErrRule)
	}
	return nil
}

// Decide applies a rule. A rule that falls back with nothing left to try withholds: it never lets through what it refused.
func Decide(r Rule, e Evidence) Decision {
	var reasons []Reason
	if r.MaxGap > 0 && e.Complete {
		reasons = append(reasons, r.gap(e)...)
	}
	for _, id := range r.Better {
		reasons = append(reasons, r.better(id, e)...)
	}
	if r.MinAgreement != nil {
		reasons = append(reasons, r.agreement(e)...)
	}
	if r.Sanity {
		switch {
		case e.Sanity == nil:
			reasons = append(reasons, Reason{Code: "no-sanity"})
		case !*e.Sanity:
			reasons = append(reasons, Reason{Code: "sanity-failed"})
		}
	}
	if len(reasons) == 0 {
		return Decision{Passed: true}
	}
	d := Decision{Action: r.Action, Reasons: reasons}
	if d.Action == FallBack {
		d.Action = Withhold
		for _, next := range r.Next {
			if next != e.Method && !slices.Contains(e.Tried, next) {
				d.Action, d.Next = FallBack, next
				break
			}
		}
	}
	return d
}

func (r Rule) gap(e Evidence) []Reason {
	for _, f := range e.Figures {
		if f.ID != "completeness" {
			continue
		}
		if f.Value > r.MaxGap || f.Value != f.Value {
			return []Reason{{Code: "gap", Figure: f.ID, Value: f.Value, Limit: r.MaxGap}}
		}
		return nil
	}
	return []Reason{{Code: "no-figure", Figure: "completeness"}}
}

func (r Rule) better(id string, e Evidence) []Reason {
	limit := r.MaxP
	if limit == 0 {
		limit = 0.01
	}
	best, draws, seen := 2.0, 0, false
	for _, f := range e.Figures {
		if f.ID == id && f.P != nil {
			seen = true
			best, draws = min(best, *f.P), max(draws, f.Draws)
		}
	}
	switch {
	case !seen:
		return []Reason{{Code: "no-figure", Figure: id}}
	case best < limit:
		return nil
	case 1/float64(1+draws) >= limit: // even the best could not have been better
		return []Reason{{Code: "too-few-draws", Figure: id, Value: float64(draws), Limit: limit}}
	}
	return []Reason{{Code: "not-better", Figure: id, Value: best, Limit: limit}}
}

func (r Rule) agreement(e Evidence) []Reason {
	for _, f := range e.Figures {
		if f.ID != "agreement" {
			continue
		}
		if f.Value >= *r.MinAgreement {
			return nil
		}
		return []Reason{{Code: "agreement", Figure: f.ID, Value: f.Value, Limit: *r.MinAgreement}}
	}
	return []Reason{{Code: "no-agreement", Figure: "agreement"}}
}
