package chart

import (
	"context"

	"vitrine/views/i18n"
	"vitrine/views/ui"
)

// valueText writes the value of a token as far as the reader may know it.
func valueText(ctx context.Context, t Tokens, it Token) string {
	switch {
	case t.Signs && it.Value > 0:
		return i18n.T(ctx, "chart.supports")
	case t.Signs && it.Value < 0:
		return i18n.T(ctx, "chart.opposes")
	case t.Signs:
		return "–"
	case t.Signed:
		return ui.Signed(it.Value, 4)
	}
	return ui.Num(it.Value, 4)
}

// tokenLabel says a token, its value and its meaning without colour.
func tokenLabel(ctx context.Context, t Tokens, i int) string {
	it := t.Items[i]
	label := it.Text + ", " + valueText(ctx, t, it)
	switch {
	case it.Special:
		label += ", " + i18n.T(ctx, "chart.special")
	case t.Signs || !t.Signed:
	case it.Value < 0:
		label += ", " + i18n.T(ctx, "chart.opposes")
	case it.Value > 0:
		label += ", " + i18n.T(ctx, "chart.supports")
	}
	if it.Note != "" {
		label += ", " + it.Note
	}
	return label
}

func scaleText(ctx context.Context, t Tokens) string {
	switch {
	case t.Signs:
		return i18n.T(ctx, "chart.scale-signs")
	case t.Shared:
		return i18n.T(ctx, "chart.scale-shared", "max", ui.Num(t.Limit, 3))
	}
	return i18n.T(ctx, "chart.scale-own", "max", ui.Num(t.Limit, 3))
}

// entropyText is the entropy of a head, with a word at the extremes.
func entropyText(ctx context.Context, a *Attention, l, h int, least, most bool) string {
	s := ui.Num(a.Entropy(l, h), 2)
	switch {
	case least:
		return i18n.T(ctx, "chart.min") + " " + s
	case most:
		return i18n.T(ctx, "chart.max") + " " + s
	}
	return s
}
