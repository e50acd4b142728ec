package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

// gateForm is a gate in the form of a cell; nil is none.
func (c *Context) gateForm(g *policy.Gate) *views.GateForm {
	if g == nil {
		g = &policy.Gate{}
	}
	f := &views.GateForm{Action: g.Action, Sanity: g.Sanity}
	if g.MaxGap > 0 {
		f.MaxGap = strconv.FormatFloat(g.MaxGap, 'f', -1, 64)
	}
	if g.MinAgreement != nil {
		f.Agreement = strconv.FormatFloat(*g.MinAgreement, 'f', -1, 64)
	}
	if g.MaxP > 0 {
		f.P = strconv.FormatFloat(g.MaxP, 'f', -1, 64)
	}
	if len(g.Next) > 1 {
		f.Rest = g.Next[1:]
	}
	for _, m := range explain.Metrics() {
		// Completeness, agreement and the randomisation check have fields of their own.
		if !slices.Contains([]string{"completeness", "agreement", "mprt"}, m.ID) {
			f.Better = append(f.Better, views.Choice{Value: m.ID, Text: views.MetricName(c.Ctx(), m.ID), Selected: slices.Contains(g.Better, m.ID)})
		}
	}
	for _, id := range explain.IDs() {
		f.Next = append(f.Next, views.Choice{Value: id, Text: views.MethodName(c.Ctx(), id), Selected: len(g.Next) > 0 && g.Next[0] == id})
	}
	return f
}

// gateChange is the gate that the form sets; nil for none. A number that cannot be read
// asks for what nothing reaches, and is refused with its name by the policy.
func gateChange(form url.Values) *app.GateChange {
	action := form.Get("gate")
	if action == "" {
		return nil
	}
	g := &app.GateChange{Action: action, Better: form["gate-better"], Sanity: form.Get("gate-sanity") != ""}
	if next := form.Get("gate-next"); next != "" {
		g.Next = append([]string{next}, form["gate-rest"]...)
	}
	number := func(name string) (float64, bool) {
		text := strings.TrimSpace(form.Get(name))
		if text == "" {
			return 0, false
		}
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			x = -2
		}
		return x, true
	}
	g.MaxGap, _ = number("gate-gap")
	g.MaxP, _ = number("gate-p")
	if x, ok := number("gate-agreement"); ok {
		g.MinAgreement = &x
	}
	return g
}

// gateNote is what the gate said of an explanation; nil where there was none.
func gateNote(e *app.ExplanationView) *views.GateNote {
	g := e.Gate
	if g == nil {
		return nil
	}
	n := &views.GateNote{Passed: g.Passed, Action: g.Action, Held: g.Held(), Next: g.Next, After: g.After, Rule: g.Rule,
		Policy: strconv.FormatInt(e.Decision.PolicyVersion, 10)}
	for _, r := range g.Reasons {
		n.Reasons = append(n.Reasons, views.GateReason{Code: r.Code, Figure: r.Figure, Value: r.Value, Limit: r.Limit})
	}
	return n
}
