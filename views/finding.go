package views

import (
	"context"
	"math"
	"strconv"
	"strings"

	"vitrine/views/chart"
	"vitrine/views/i18n"
	"vitrine/views/ui"
)

// Findings are the one sentence over each figure that says what is in it. They
// are computed from the numbers that are drawn, never written by hand.

func predictionTitle(ctx context.Context, m Prediction) string {
	name := m.ID
	if len(m.Classes) > 0 {
		name = m.Classes[0].Label + ", " + m.ID
	}
	if m.Written != nil {
		name = clipped(m.Written.Text, 40) + ", " + m.ID
	}
	return i18n.T(ctx, "prediction.title", "name", name)
}

func targetName(ctx context.Context, e Explanation) string {
	if e.Target == "" {
		return i18n.T(ctx, "explain.the-output")
	}
	return e.Target
}

func maskedKinds(ctx context.Context, ids []string) string {
	if len(ids) == 0 {
		return i18n.T(ctx, "prediction.masked-none")
	}
	seen := map[string]bool{}
	var names []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			names = append(names, recogniserName(ctx, id))
		}
	}
	return strings.Join(names, ", ")
}

// topClasses cuts a long list: the first n, how many are left, and their share.
func topClasses(all []chart.Class, n int) (shown []chart.Class, pooled int, share float64) {
	if len(all) <= n+1 {
		return all, 0, 0
	}
	for _, c := range all[n:] {
		share += c.Score
	}
	return all[:n], len(all) - n, share
}

func classFinding(ctx context.Context, c []chart.Class) string {
	if len(c) < 2 {
		return i18n.T(ctx, "prediction.one-class", "label", c[0].Label, "p", ui.Percent(c[0].Score))
	}
	return i18n.T(ctx, "prediction.leads", "first", c[0].Label, "second", c[1].Label,
		"points", ui.Num((c[0].Score-c[1].Score)*100, 1), "logit", ui.Num(c[0].Logit-c[1].Logit, 2))
}

// plainSentences is the summary for a reader without technical knowledge: what
// the answer is, which parts moved it, and how sure that is.
func plainSentences(ctx context.Context, m Prediction, e Explanation) []string {
	var out []string
	if len(m.Classes) > 0 {
		out = append(out, i18n.T(ctx, "explain.say-answer", "label", m.Classes[0].Label, "p", ui.Percent(m.Classes[0].Score)))
	}
	target := targetName(ctx, e)
	switch {
	case e.Picture != nil:
		out = append(out, heatFinding(ctx, e.Picture.Heat, target))
	case !e.Signed && len(e.Supporting) > 0:
		out = append(out, i18n.T(ctx, "explain.say-strongest", "words", quoteList(ctx, e.Supporting)))
	case len(e.Supporting) > 0 && len(e.Opposing) > 0:
		out = append(out, i18n.T(ctx, "explain.say-both", "for", quoteList(ctx, e.Supporting), "against", quoteList(ctx, e.Opposing), "label", target))
	case len(e.Supporting) > 0:
		out = append(out, i18n.T(ctx, "explain.say-for", "for", quoteList(ctx, e.Supporting), "label", target))
	case len(e.Opposing) > 0:
		out = append(out, i18n.T(ctx, "explain.say-against", "against", quoteList(ctx, e.Opposing), "label", target))
	}
	if better, of := betterThanRandom(e.Figures); of > 0 {
		switch better {
		case of:
			out = append(out, i18n.T(ctx, "explain.say-trust"))
		default:
			out = append(out, i18n.T(ctx, "explain.say-doubt", "n", of-better, "of", strconv.Itoa(of)))
		}
	}
	return out
}

func quoteList(ctx context.Context, words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = i18n.T(ctx, "explain.quoted", "word", w)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	comma := i18n.T(ctx, "explain.comma")
	return strings.Join(quoted[:len(quoted)-1], comma) + i18n.T(ctx, "explain.and") + quoted[len(quoted)-1]
}

func betterThanRandom(all []Figure) (better, of int) {
	for _, f := range all {
		if f.P == nil || f.Exact {
			continue
		}
		of++
		if *f.P < 0.05 {
			better++
		}
	}
	return better, of
}

func tokenFinding(ctx context.Context, e Explanation) string {
	var n, pos, neg, best int
	var up, down float64
	best = -1
	for i, t := range e.Tokens.Items {
		if t.Special {
			continue
		}
		n++
		switch {
		case t.Value > 0:
			pos++
			up += t.Value
		case t.Value < 0:
			neg++
			down += t.Value
		}
		if best < 0 || math.Abs(t.Value) > math.Abs(e.Tokens.Items[best].Value) {
			best = i
		}
	}
	if best < 0 {
		return i18n.T(ctx, "explain.no-tokens")
	}
	top := e.Tokens.Items[best]
	switch {
	case e.Tokens.Signs:
		return i18n.T(ctx, "explain.finding-signs", "n", pos+neg)
	case !e.Signed:
		return i18n.T(ctx, "explain.finding-unsigned", "n", n, "word", top.Text, "value", ui.Num(top.Value, 4))
	}
	return i18n.T(ctx, "explain.finding-signed", "n", n, "pos", strconv.Itoa(pos), "neg", strconv.Itoa(neg),
		"up", ui.Signed(up, 3), "down", ui.Signed(down, 3), "word", top.Text, "value", ui.Signed(top.Value, 3))
}

func gapFinding(ctx context.Context, e Explanation) string {
	diff := e.Output - e.Baseline
	gap := math.Abs(e.Waterfall.Gap)
	share := "–"
	if diff != 0 {
		share = ui.Num(gap/math.Abs(diff)*100, 2) + " %"
	}
	key := "explain.gap-other"
	if e.Complete {
		key = "explain.gap"
	}
	return i18n.T(ctx, key, "sum", ui.Signed(diff-e.Waterfall.Gap, 4), "diff", ui.Signed(diff, 4), "gap", ui.Num(gap, 4), "share", share)
}

func heatFinding(ctx context.Context, h chart.Heat, label string) string {
	r := h.Regions(5)
	if len(r) == 0 {
		return i18n.T(ctx, "explain.heat-none", "label", label)
	}
	var share float64
	for _, x := range r {
		share += x.Share
	}
	return i18n.T(ctx, "explain.heat-finding", "label", label,
		"place", i18n.T(ctx, "chart.place-"+strconv.Itoa(r[0].Row)+strconv.Itoa(r[0].Col)),
		"n", len(r), "share", ui.Percent(share), "cells", strconv.Itoa(r[0].N*r[0].N))
}

func entropyFinding(ctx context.Context, a *chart.Attention) string {
	loL, loH, hiL, hiH, lo, hi := a.Extremes()
	return i18n.T(ctx, "explain.entropy", "lo", ui.Num(lo, 2), "hi", ui.Num(hi, 2),
		"lo_layer", strconv.Itoa(loL+1), "lo_head", strconv.Itoa(loH+1), "hi_layer", strconv.Itoa(hiL+1), "hi_head", strconv.Itoa(hiH+1),
		"uniform", ui.Num(math.Log(float64(a.T)), 2))
}

func linkFinding(ctx context.Context, a *chart.Attention, l, h int) string {
	links, _ := a.Links(l, h, 1)
	if len(links) == 0 {
		return i18n.T(ctx, "explain.no-link")
	}
	p := links[0]
	return i18n.T(ctx, "explain.link", "from", tokenText(a, p.From), "to", tokenText(a, p.To), "weight", ui.Num(p.P, 2))
}

func tokenText(a *chart.Attention, i int) string {
	if i < len(a.Tokens) {
		return a.Tokens[i].Text
	}
	return "?"
}

func faithFinding(ctx context.Context, all []Figure) string {
	better, of := betterThanRandom(all)
	if of == 0 {
		return i18n.T(ctx, "explain.faith-none")
	}
	if better == of {
		return i18n.T(ctx, "explain.faith-all", "n", of)
	}
	return i18n.T(ctx, "explain.faith-some", "better", strconv.Itoa(better), "n", of)
}

func metricHint(ctx context.Context, f Figure) string {
	if f.Exact {
		return "|ΣA − (F(x) − F(b))|"
	}
	if f.Higher {
		return i18n.T(ctx, "explain.higher")
	}
	return i18n.T(ctx, "explain.lower")
}

func figureDecimals(f Figure) int {
	if f.Exact {
		return 5
	}
	return 3
}

// comparable are the figures that share a scale: differences of outputs.
func comparable(all []Figure) []chart.Figure {
	var out []chart.Figure
	for _, f := range all {
		if !f.Exact {
			out = append(out, chart.Figure{Value: f.Value, Control: f.Control, Low: f.Low, High: f.High})
		}
	}
	return out
}

// curves are the removal figures step by step: the first of each kind.
func curves(ctx context.Context, all []Figure) []chart.Curve {
	var out []chart.Curve
	for _, id := range []string{"comprehensiveness", "sufficiency"} {
		for _, f := range all {
			if f.ID == id && len(f.Steps) > 1 && len(f.Steps) == len(f.Shares) {
				out = append(out, chart.Curve{Name: metricName(ctx, id), Shares: f.Shares, Values: f.Steps})
				break
			}
		}
	}
	if len(out) == 2 && len(out[0].Shares) != len(out[1].Shares) {
		return out[:1]
	}
	return out
}

func curveFinding(ctx context.Context, c chart.Curve) string {
	last := len(c.Values) - 1
	return i18n.T(ctx, "explain.curve-finding", "share", ui.Num(c.Shares[0]*100, 0)+" %", "first", ui.Num(c.Values[0], 3),
		"most", ui.Num(c.Shares[last]*100, 0)+" %", "last", ui.Num(c.Values[last], 3))
}
