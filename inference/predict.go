package inference

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"vitrine/inference/task"
)

// Predict runs the model's task on one input. For a text longer than the model takes, the windows' logits are averaged
// by their number of tokens (entities and answers are taken from the window that shows them best), and Windows says so.
func (m *Model) Predict(ctx context.Context, in Input) (*Prediction, error) {
	e, err := m.Encode(ctx, in)
	if err != nil {
		return nil, err
	}
	batch := make([]Example, len(e.Windows))
	for i, w := range e.Windows {
		batch[i] = w.Example
	}
	results, err := m.Run(ctx, batch, RunSpec{})
	if err != nil {
		return nil, err
	}
	return m.Finish(in, e, results)
}

// Finish turns the outputs of all windows of an encoded input into the task's answer.
func (m *Model) Finish(in Input, e *Encoded, results []Result) (*Prediction, error) {
	c := &task.Context{Labels: m.desc.Labels, MultiLabel: m.desc.MultiLabel, Text: in.Text, Pair: in.Pair, Mask: -1}
	if m.tok != nil {
		c.Mask = m.tok.Special().Mask
		c.Word = func(id int32) string { return m.tok.Decode([]int32{id}, false) }
	}
	p := &Prediction{Task: m.desc.Task, Unknown: e.Unknown}
	seen := map[int]bool{}
	for i, w := range e.Windows {
		tokens := make([]task.Token, len(w.Tokens))
		for j, t := range w.Tokens {
			tokens[j] = task.Token{ID: t.ID, Start: t.Start, End: t.End, Special: t.Special, Pair: t.Pair, Index: t.Index}
			if len(e.Windows) == 1 || !t.Special && !seen[t.Index] {
				p.Tokens = append(p.Tokens, t)
				seen[t.Index] = true
			}
		}
		c.Windows = append(c.Windows, task.Window{Output: results[i].Output.Data, Shape: results[i].Output.Shape, Tokens: tokens})
		if len(e.Windows) > 1 {
			p.Windows = append(p.Windows, note(w, e.Pair))
		}
	}
	if len(e.Windows) > 1 { // of two texts the shorter stands in every window: its tokens come before later windows'
		slices.SortStableFunc(p.Tokens, func(a, b Token) int { return cmp.Compare(a.Index, b.Index) })
	}
	a, err := m.task.Finish(c)
	if err != nil {
		return nil, fmt.Errorf("inference: %s: %w", m.desc.Task, classify(err))
	}
	p.Labels, p.Entities, p.Vector, p.Answer = a.Labels, a.Entities, a.Vector, a.Span
	return p, nil
}

// note says which characters of the text that is divided a window covered.
func note(w Window, pair bool) WindowNote {
	n := WindowNote{Start: -1, Tokens: len(w.Tokens), Pair: pair}
	for _, t := range w.Tokens {
		if t.Special || t.Pair != pair {
			continue
		}
		if n.Start < 0 || t.Start < n.Start {
			n.Start = t.Start
		}
		n.End = max(n.End, t.End)
	}
	return n
}
