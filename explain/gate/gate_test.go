package gate

import (
	"errors"
	"math"
	"testing"

	"vitrine/explain/metric"
)

func p(v float64) *float64 { return &v }

func evidence() Evidence {
	yes := true
	return Evidence{Method: "integrated-gradients", Complete: true, Sanity: &yes, Figures: []metric.Figure{
		{ID: "completeness", Value: 0.004},
		{ID: "comprehensiveness", Mode: "mask", P: p(0.2), Draws: 999}, {ID: "comprehensiveness", Mode: "delete", P: p(0.001), Draws: 999},
		{ID: "sufficiency", P: p(0.5), Draws: 999}, {ID: "agreement", Value: 0.6},
	}}
}

func TestDecide(t *testing.T) {
	no := false
	for name, c := range map[string]struct {
		rule   Rule
		change func(*Evidence)
		code   string
		action string
		next   string
	}{
		"asks nothing":     {rule: Rule{Action: Withhold}},
		"all met":          {rule: Rule{MaxGap: 0.01, Better: []string{"comprehensiveness"}, MinAgreement: p(0.5), Sanity: true, Action: Withhold}},
		"gap":              {rule: Rule{MaxGap: 0.001, Action: Warn}, code: "gap", action: Warn},
		"gap that is NaN":  {rule: Rule{MaxGap: 0.001, Action: Warn}, change: func(e *Evidence) { e.Figures[0].Value = math.NaN() }, code: "gap", action: Warn},
		"no promise":       {rule: Rule{MaxGap: 0.001, Action: Warn}, change: func(e *Evidence) { e.Complete = false }},
		"not measured":     {rule: Rule{MaxGap: 0.01, Action: Review}, change: func(e *Evidence) { e.Figures = nil }, code: "no-figure", action: Review},
		"not better":       {rule: Rule{Better: []string{"sufficiency"}, Action: Review}, code: "not-better", action: Review},
		"too few draws":    {rule: Rule{Better: []string{"sufficiency"}, Action: Review}, change: func(e *Evidence) { e.Figures[3].Draws = 24 }, code: "too-few-draws", action: Review},
		"unknown figure":   {rule: Rule{Better: []string{"elegance"}, Action: Withhold}, code: "no-figure", action: Withhold},
		"agreement":        {rule: Rule{MinAgreement: p(0.7), Action: Withhold}, code: "agreement", action: Withhold},
		"alone":            {rule: Rule{MinAgreement: p(0), Action: Warn}, change: func(e *Evidence) { e.Figures = e.Figures[:4] }, code: "no-agreement", action: Warn},
		"failed the check": {rule: Rule{Sanity: true, Action: Withhold}, change: func(e *Evidence) { e.Sanity = &no }, code: "sanity-failed", action: Withhold},
		"never checked":    {rule: Rule{Sanity: true, Action: Withhold}, change: func(e *Evidence) { e.Sanity = nil }, code: "no-sanity", action: Withhold},
		"falls back":       {rule: Rule{MaxGap: 1e-9, Action: FallBack, Next: []string{"integrated-gradients", "occlusion"}}, code: "gap", action: FallBack, next: "occlusion"},
		"nothing left":     {rule: Rule{MaxGap: 1e-9, Action: FallBack, Next: []string{"occlusion"}}, change: func(e *Evidence) { e.Tried = []string{"occlusion"} }, code: "gap", action: Withhold},
	} {
		e := evidence()
		if c.change != nil {
			c.change(&e)
		}
		if err := c.rule.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d := Decide(c.rule, e)
		if d.Passed != (c.code == "") || d.Action != c.action || d.Next != c.next || c.code != "" && (len(d.Reasons) != 1 || d.Reasons[0].Code != c.code) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, r := range map[string]Rule{
		"no action": {}, "unknown": {Action: "pray"}, "nowhere to fall": {Action: FallBack}, "gap": {Action: Warn, MaxGap: -1},
		"NaN": {Action: Warn, MaxGap: math.NaN()}, "p": {Action: Warn, MaxP: 2}, "agreement": {Action: Warn, MinAgreement: p(3)},
	} {
		if err := r.Check(); !errors.Is(err, ErrRule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
