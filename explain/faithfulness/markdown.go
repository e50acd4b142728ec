package faithfulness

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is a figure of the summary; mode "" takes the first mode that a method has.
type column struct{ title, id, mode string }

var columns = []column{
	{"comprehensiveness", "comprehensiveness", ""}, {"sufficiency", "sufficiency", ""}, {"infidelity", "infidelity", "normalised"},
	{"max. sensitivity", "sensitivity-max", ""}, {"deletion", "deletion-auc", ""}, {"insertion", "insertion-auc", ""},
	{"pointing game", "pointing-game", ""}, {"token F1", "token-f1", ""}, {"AUPRC", "auprc", ""},
}

// Markdown writes the table for people: methods ranked by the gain in comprehensiveness, each figure with its interval and, behind a
// stroke, that of random attributions. A figure that is better beyond the choice of inputs is bold.
func (t *Table) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Faithfulness of explanations: %s\n\n", t.Model)
	fmt.Fprintf(&b, "%d of the %d inputs of %s, evenly spread; %d of them answered as labelled. Figures are means with the 95 %% bootstrap interval over the inputs, behind the stroke the mean of %d random attributions of each input (of deletion and insertion: at most 8). Bold: better than random, the interval of the gain lies above 0. Arrows say which way is better. Model %.12s, engine %s, seed %d.\n\n",
		t.Inputs, t.Of, t.Data, t.Right, t.Draws, t.Digest, t.Engine, t.Seed)
	shown := slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(t.Methods, func(r Row) bool { _, ok := r.Figure(c.id, c.mode); return ok })
	})
	head, rule := "| method |", "| --- |"
	for _, c := range shown {
		arrow := "↓"
		for _, r := range t.Methods {
			if f, ok := r.Figure(c.id, c.mode); ok && f.Higher {
				arrow = "↑"
			}
		}
		head += " " + c.title + " " + arrow + " |"
		rule += " --- |"
	}
	fmt.Fprintln(&b, head+" gap | gradients | forwards | ≤ 33 | sanity |")
	fmt.Fprintln(&b, rule+" --- | --- | --- | --- | --- |")
	rows := slices.Clone(t.Methods)
	slices.SortStableFunc(rows, func(a, b Row) int {
		x, _ := a.Figure("comprehensiveness", "")
		y, _ := b.Figure("comprehensiveness", "")
		switch {
		case x.Gain > y.Gain:
			return -1
		case x.Gain < y.Gain:
			return 1
		}
		return 0
	})
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |", r.Method)
		for _, c := range shown {
			fmt.Fprintf(&b, " %s |", cell(r, c))
		}
		gap, share, sane := "–", "–", "–"
		if f, ok := r.Figure("completeness", ""); ok {
			gap = fmt.Sprintf("%.3f", f.Mean)
		}
		if r.Within33 != nil {
			share = fmt.Sprintf("%.0f %%", 100**r.Within33)
		}
		if s := r.Sanity; s != nil {
			sane = fmt.Sprintf("%.2f", s.Figure.Value)
			if s.Passed {
				sane += " passed"
			} else {
				sane += " failed"
			}
		}
		fmt.Fprintf(&b, " %s | %.0f | %.0f | %s | %s |\n", gap, r.Gradients, r.Forwards, share, sane)
	}
	b.WriteString("\nGap: |sum of the values − (F(x) − F(b))|, relative. ≤ 33: share of the inputs whose explanation took at most 33 gradients. Sanity: mean rank correlation with the values of a model whose weights were shuffled; at most 0.5 passes. Figures on removed units take ")
	b.WriteString("the first mode, all are in the JSON beside this file.\n")
	for _, r := range t.Methods {
		if r.Failed != "" {
			fmt.Fprintf(&b, "\n%s explained %d of %d: %s\n", r.Method, r.Inputs, t.Inputs, r.Failed)
		}
	}
	if len(t.Refused) > 0 {
		b.WriteString("\nNot suited to the model:\n")
		for _, r := range t.Refused {
			fmt.Fprintf(&b, "- %s: %s\n", r.Method, r.Reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(r Row, c column) string {
	f, ok := r.Figure(c.id, c.mode)
	if !ok {
		return "–"
	}
	value := fmt.Sprintf("%.3f", f.Mean)
	if f.Better() {
		value = "**" + value + "**"
	}
	return fmt.Sprintf("%s [%.3f, %.3f] / %.3f", value, f.Low, f.High, f.Control)
}
