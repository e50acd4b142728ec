package web

import (
	"fmt"
	"math"
	"net/http"
	"sort"
	"strconv"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/chart"
	"vitrine/views/i18n"
	"vitrine/views/ui"
	"vitrine/web/app"
)

// explanation brings an explanation into the form that pages draw.
func (c *Context) explanation(v *app.PredictionView, e *app.ExplanationView, all []app.ExplanationBrief) *views.Explanation {
	method, _ := explain.Lookup(e.Method) // what the registry says of it: pages know no method by name
	m := &views.Explanation{
		ID: e.ID, Made: e.Time, Method: e.Method, Version: e.Version, Target: e.Target.Label, Quantity: e.Target.Quantity, Level: e.Level, Signed: e.Signed,
		Complete: method.Complete, Output: e.Output, Baseline: e.BaselineOutput, Delta: e.Delta, Gradients: e.Gradients, Seconds: e.Seconds,
		Warnings: e.Warnings, RecordHash: e.RecordHash, Log: c.place(e.Receipt),
	}
	m.Predicted = len(v.Output.Labels) > 0 && v.Output.Labels[0].Label == e.Target.Label
	for name, value := range e.Params {
		m.Params = append(m.Params, views.NameValue{Name: name, Value: fmt.Sprint(value)})
	}
	sort.Slice(m.Params, func(i, j int) bool { return m.Params[i].Name < m.Params[j].Name })
	for _, f := range e.Metrics {
		m.Figures = append(m.Figures, views.Figure{ID: f.ID, Mode: f.Mode, Value: f.Value, Control: f.Control, Low: f.Low, High: f.High, P: f.P, Higher: f.Higher, Exact: f.ID == "completeness", Shares: f.Fractions, Steps: f.Steps})
	}
	if e.Map != nil {
		m.Picture = c.picture(v, e, method)
		return m
	}
	if len(e.Token) == len(e.Tokens) && len(e.Token) > 0 {
		c.tokens(m, e)
	}
	if x := e.Companion; x != nil && len(x.Attributions) == len(e.Tokens) {
		t := chart.Tokens{Name: "c"}
		for i, tok := range e.Tokens {
			t.Items = append(t.Items, chart.Token{Text: tok.Text, Value: x.Attributions[i], Special: tok.Special, Start: tok.Start, End: tok.End})
		}
		t.Limit = chart.Limit(ranked(t.Items))
		m.Companion = &t
	}
	if a := attention(e); a.Valid() {
		m.Attention = a
		m.Layer, m.Head = c.ordinal("layer", a.L), c.ordinal("head", a.H)
		addr := c.address(v.ID, e.ID)
		m.HeadURL = func(l, h int) string {
			return ui.Set(addr, "layer", strconv.Itoa(l+1), "head", strconv.Itoa(h+1)) + "#head"
		}
		m.Views = c.attentionViews(v.ID, e.Method, all)
	}
	return m
}

// address is this page's address with the explanation named, so that links keep
// the other choices.
func (c *Context) address(id, explanation string) string {
	if c.Request().Method != http.MethodGet {
		return "/predictions/" + id + "?e=" + explanation
	}
	return ui.Set(c.Request().URL.RequestURI(), "e", explanation)
}

// ordinal reads a number counted from 1 that must be at most n; otherwise 0.
func (c *Context) ordinal(name string, n int) int {
	i, err := strconv.Atoi(c.QueryParam(name))
	if err != nil || i < 1 || i > n {
		return 0
	}
	return i - 1
}

func (c *Context) tokens(m *views.Explanation, e *app.ExplanationView) {
	addr := c.address(e.Prediction, e.ID)
	byWord := c.QueryParam("group") != "token" && len(e.Words) > 0
	t := chart.Tokens{Signed: e.Signed, Signs: e.Level == policy.LevelSigns, Pattern: c.preference("palette") == "pattern"}
	var parts []chart.Part
	for i, tok := range e.Tokens {
		if !byWord {
			t.Items = append(t.Items, chart.Token{Text: tok.Text, Value: e.Token[i], Special: tok.Special, Start: tok.Start, End: tok.End})
		}
		if tok.Special {
			parts = append(parts, chart.Part{Name: tok.Text, Value: e.Token[i]})
		}
	}
	for _, w := range e.Words {
		if byWord {
			t.Items = append(t.Items, chart.Token{Text: w.Text, Value: w.Attribution, Start: w.Start, End: w.End})
		}
		parts = append(parts, chart.Part{Name: w.Text, Value: w.Attribution})
	}
	if len(e.Words) == 0 || !byWord {
		parts = nil
		for _, it := range t.Items {
			parts = append(parts, chart.Part{Name: it.Text, Value: it.Value})
		}
	}
	t.Limit = chart.Limit(ranked(t.Items))
	m.Tokens = t
	if e.Signed && !t.Signs && (m.Complete || e.Output != e.BaselineOutput) {
		w := chart.NewWaterfall(e.BaselineOutput, e.Output, parts, 8)
		m.Waterfall = &w
	}
	if len(e.Words) > 0 {
		m.Groups = []ui.Option{
			{Text: i18n.T(c.Ctx(), "explain.group-token"), URL: ui.Set(addr, "group", "token") + "#why", Current: !byWord},
			{Text: i18n.T(c.Ctx(), "explain.group-word"), URL: ui.Set(addr, "group", "") + "#why", Current: byWord},
		}
	}
	now := c.preference("palette")
	for _, p := range []string{"", "purple-green", "pattern"} {
		name, value := p, p
		if p == "" {
			name, value = "orange-blue", "default"
		}
		m.Palettes = append(m.Palettes, ui.Option{Text: i18n.T(c.Ctx(), "explain.palette-"+name), URL: ui.Set(addr, "palette", value), Current: p == now})
	}
	m.Supporting, m.Opposing = strongest(e)
}

// ranked are the values of the tokens that are not special.
func ranked(items []chart.Token) []float64 {
	var out []float64
	for _, it := range items {
		if !it.Special {
			out = append(out, it.Value)
		}
	}
	return out
}

// strongest names up to two words that speak for the target and two against.
func strongest(e *app.ExplanationView) (up, down []string) {
	words := append([]app.WordView(nil), e.Words...)
	sort.SliceStable(words, func(i, j int) bool { return math.Abs(words[i].Attribution) > math.Abs(words[j].Attribution) })
	for _, w := range words {
		switch {
		case w.Attribution > 0 && len(up) < 2:
			up = append(up, w.Text)
		case w.Attribution < 0 && len(down) < 2 && e.Signed:
			down = append(down, w.Text)
		}
	}
	return up, down
}

func attention(e *app.ExplanationView) *chart.Attention {
	a := e.Attention
	if a == nil || len(a.Shape) != 4 {
		return nil
	}
	out := &chart.Attention{L: a.Shape[0], H: a.Shape[1], T: a.Shape[2], P: a.Data}
	for _, t := range e.Tokens {
		out.Tokens = append(out.Tokens, chart.Token{Text: t.Text, Special: t.Special})
	}
	return out
}

// attentionViews links raw heads to their gradient-weighted and rolled-out
// views: to the explanation where one was made, to the form otherwise.
func (c *Context) attentionViews(id, method string, all []app.ExplanationBrief) []ui.Option {
	var out []ui.Option
	for _, v := range []struct{ key, method string }{{"raw", "attention"}, {"chefer", "chefer"}, {"rollout", "attention-rollout"}} {
		to := "/predictions/" + id + "?method=" + v.method + "#explain"
		for _, b := range all {
			if b.Method == v.method {
				to = "/predictions/" + id + "?e=" + b.ID
			}
		}
		out = append(out, ui.Option{Text: i18n.T(c.Ctx(), "explain.view-"+v.key), URL: to, Current: v.method == method})
	}
	return out
}

// picture is the map over the stored picture.
func (c *Context) picture(v *app.PredictionView, e *app.ExplanationView, method explain.Method) *views.PictureView {
	heat, ok := heatOf(e.Map, e.Signed && method.Family != "cam") // class activation maps are kept with their sign and shown without
	if !ok {
		return nil
	}
	addr := c.address(e.Prediction, e.ID)
	p := &views.PictureView{Src: "/predictions/" + v.ID + "/image", W: v.Input.Width, H: v.Input.Height, Heat: heat, View: "side", Opacity: 60, Layer: e.Layer}
	if w := c.QueryParam("view"); w == "overlay" || w == "contour" {
		p.View = w
	}
	if n, err := strconv.Atoi(c.QueryParam("opacity")); err == nil && n >= 0 && n <= 100 {
		p.Opacity = n
	}
	for _, w := range []string{"side", "overlay", "contour"} {
		p.Views = append(p.Views, ui.Option{Text: i18n.T(c.Ctx(), "explain.view-"+w), URL: ui.Set(addr, "view", w) + "#why", Current: w == p.View})
	}
	for _, n := range []int{0, 30, 60, 100} {
		p.Opacities = append(p.Opacities, ui.Option{Text: strconv.Itoa(n) + " %", URL: ui.Set(addr, "opacity", strconv.Itoa(n)) + "#why", Current: n == p.Opacity})
	}
	return p
}

func heatOf(t *inference.Tensor, signed bool) (chart.Heat, bool) {
	if t == nil || len(t.Shape) < 2 {
		return chart.Heat{}, false
	}
	h := chart.Heat{H: t.Shape[len(t.Shape)-2], W: t.Shape[len(t.Shape)-1], Signed: signed}
	n := h.W * h.H
	if n <= 0 || len(t.Data)%n != 0 {
		return chart.Heat{}, false
	}
	h.Values = make([]float64, n)
	for i, x := range t.Data {
		h.Values[i%n] += float64(x)
	}
	return h, true
}
