package explain

import (
	"math"

	"vitrine/explain/metric"
)

// Warning codes of Explanation.Warnings, shown as texts of the catalogue under explain.warning.CODE.
const (
	WarnUnknown    = "unknown-tokens"    // over 20 % of the tokens are unknown to the model
	WarnScript     = "foreign-script"    // the model card names no language of the text's script
	WarnWindowed   = "windowed"          // the text was longer than the model reads at once
	WarnIncomplete = "incomplete"        // a method that promises completeness missed it by over 5 %
	WarnAttention  = "attention-only"    // attention weights are not an explanation by themselves
	WarnWeak       = "not-above-random"  // no removal figure is better than 95 % of random attributions
	WarnFlat       = "flat"              // no group changes the output at all
	WarnBudget     = "budget-spent"      // the budget was spent before the values settled
	WarnNoFigures  = "no-figures"        // nothing was removed to see what happens
	WarnEqual      = "all-equal"         // all values are equal, or there is only one: no figure of a ranking is given
	WarnSame       = "baseline-is-input" // the baseline equals the input: no difference is there to be divided
	WarnEmpty      = "no-content-tokens" // the text holds special tokens only
)

func (j *job) warn(e *Explanation) {
	if j.unknown > 0.2 {
		e.Warnings = appendNew(e.Warnings, WarnUnknown)
	}
	if pair := j.r.Input.Pair; ForeignScript(j.info.Card, j.r.Input.Text) || pair != nil && ForeignScript(j.info.Card, *pair) {
		e.Warnings = appendNew(e.Warnings, WarnScript)
	}
	if len(e.Windows) > 1 {
		e.Warnings = appendNew(e.Warnings, WarnWindowed)
	}
	if j.same() {
		e.Warnings = appendNew(e.Warnings, WarnSame)
	}
	gap := math.Abs(e.Output - e.BaselineOutput)
	if j.method.Complete && math.Abs(e.Delta) > max(float64(0.05*gap), 1e-3) {
		e.Warnings = appendNew(e.Warnings, WarnIncomplete)
	}
	if j.r.Continuation != nil && j.r.Draws < 0 {
		e.Warnings = appendNew(e.Warnings, WarnNoFigures)
	}
	if j.method.ID == "attention" || j.method.ID == "attention-rollout" {
		e.Warnings = appendNew(e.Warnings, WarnAttention)
	}
	if j.info.Modality == "text" {
		content := false
		for _, t := range j.tokens {
			content = content || !t.Special
		}
		if !content {
			e.Warnings = appendNew(e.Warnings, WarnEmpty)
			return
		}
	}
	if units := Units(e); !metric.Ranks(units) {
		e.Warnings = appendNew(e.Warnings, WarnEqual)
	}
	weak, measured := true, false
	for _, m := range e.Metrics {
		if m.ID != "completeness" && m.P != nil {
			measured = true
			weak = weak && *m.P > 0.05
		}
	}
	if measured && weak {
		e.Warnings = appendNew(e.Warnings, WarnWeak)
	}
}
