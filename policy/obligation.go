package policy

import (
	"fmt"
	"math"
	"slices"
)

// Explanation levels, from least to most revealing.
const (
	LevelNone    = "none"    // no explanation
	LevelSigns   = "signs"   // the signs of the five strongest tokens
	LevelRounded = "rounded" // values rounded to Obligations.Round decimals, DefaultRound when nil
	LevelFull    = "full"
)

// Levels in order; a lower index reveals less.
var Levels = []string{LevelNone, LevelSigns, LevelRounded, LevelFull}

// DefaultRound is the number of decimals of level "rounded" where no rule says
// another.
const DefaultRound = 2

// MaskAll is the group that stands for every registered recogniser.
const MaskAll = "pii"

// Obligations are what an allowing rule demands of the one who lets the request
// through. The zero value demands nothing.
type Obligations struct {
	// ExplanationLevel is one of the levels above; empty means full.
	ExplanationLevel string `json:"explanation_level,omitempty"`
	// ForbidMethods are explanation methods refused.
	ForbidMethods []string `json:"forbid_methods,omitempty"`
	// Gate is what an explanation must reach before it is shown; nil asks nothing.
	Gate *Gate `json:"gate,omitempty"`
	// Mask names recognisers of personal data, or the group "pii" for all,
	// whose findings are replaced before storage, inference and display.
	Mask []string `json:"mask,omitempty"`
	// Methods, if not empty, are the only explanation methods allowed.
	Methods []string `json:"methods,omitempty"`
	// ModelSeesClear lets the model see the unmasked input.
	ModelSeesClear bool `json:"model_sees_clear,omitempty"`
	// Review makes what is asked a proposal that a second person has to approve.
	Review bool `json:"review,omitempty"`
	// Round is the number of decimals of every figure that leaves; nil leaves
	// figures alone.
	Round *int `json:"round,omitempty"`
}

// Level is the explanation level with the default filled in.
func (o Obligations) Level() string {
	if o.ExplanationLevel == "" {
		return LevelFull
	}
	return o.ExplanationLevel
}

// AllowsMethod reports whether the explanation method is open.
func (o Obligations) AllowsMethod(id string) bool {
	if slices.Contains(o.ForbidMethods, id) {
		return false
	}
	return len(o.Methods) == 0 || slices.Contains(o.Methods, id)
}

// Rounded applies Round to a figure that leaves the house; without the
// obligation it returns v unchanged.
func (o Obligations) Rounded(v float64) float64 {
	digits := -1
	if o.Round != nil {
		digits = *o.Round
	} else if o.Level() == LevelRounded {
		digits = DefaultRound
	}
	if digits < 0 {
		return v
	}
	scale := math.Pow10(digits)
	return math.RoundToEven(v*scale) / scale
}

// combine makes the obligations that satisfy both: every mask, the lowest
// level, only methods open in both, the fewest decimals, review if either asks for
// it, the stricter gate, and clear text for the model only if both let it. The result does not depend on the order.
func (o Obligations) combine(p Obligations) Obligations {
	out := Obligations{
		Mask:          union(o.Mask, p.Mask),
		ForbidMethods: union(o.ForbidMethods, p.ForbidMethods),
		Methods:       o.Methods,
		Round:         o.Round, ModelSeesClear: o.ModelSeesClear && p.ModelSeesClear,
		Review: o.Review || p.Review, Gate: o.Gate.combine(p.Gate),
	}
	if slices.Index(Levels, p.Level()) < slices.Index(Levels, o.Level()) {
		out.ExplanationLevel = p.ExplanationLevel
	} else {
		out.ExplanationLevel = o.ExplanationLevel
	}
	if out.ExplanationLevel == LevelFull {
		out.ExplanationLevel = ""
	}
	switch {
	case len(o.Methods) == 0:
		out.Methods = p.Methods
	case len(p.Methods) > 0:
		out.Methods = nil
		for _, m := range o.Methods {
			if slices.Contains(p.Methods, m) {
				out.Methods = append(out.Methods, m)
			}
		}
		if len(out.Methods) == 0 {
			// No method is open in both. An empty list would mean all, so the
			// level says it instead.
			out.ExplanationLevel = LevelNone
		}
	}
	if p.Round != nil && (o.Round == nil || *p.Round < *o.Round) {
		out.Round = p.Round
	}
	return out
}

func union(a, b []string) []string {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// check validates the words and bounds of a rule's obligations.
func (o Obligations) check() error {
	for _, list := range [][]string{o.Mask, o.Methods, o.ForbidMethods} {
		if len(list) > maxList {
			return fmt.Errorf("an obligation lists more than %d names", maxList)
		}
		for _, v := range list {
			if !isName(v) {
				return fmt.Errorf("obligation value %s is not a name", quote(v))
			}
		}
	}
	if o.ExplanationLevel != "" && !slices.Contains(Levels, o.ExplanationLevel) {
		return fmt.Errorf("explanation level %s: use one of none, signs, rounded, full", quote(o.ExplanationLevel))
	}
	if o.Round != nil && (*o.Round < 0 || *o.Round > 12) {
		return fmt.Errorf("obligation round %d: use 0 to 12 decimals", *o.Round)
	}
	return o.Gate.check()
}

// normal is the canonical form: lists sorted without duplicates, the default
// level left out.
func (o Obligations) normal() Obligations {
	o.Mask, o.Methods, o.ForbidMethods = union(o.Mask, nil), union(o.Methods, nil), union(o.ForbidMethods, nil)
	o.Gate = o.Gate.normal()
	if o.ExplanationLevel == LevelFull {
		o.ExplanationLevel = ""
	}
	return o
}
