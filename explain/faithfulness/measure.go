package faithfulness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"vitrine/explain"
	"vitrine/explain/metric"
	"vitrine/inference"
)

// Input is one row of a data set with the label that people gave it, and of a text the characters that decided it for them.
type Input struct {
	In        inference.Input
	Label     string
	Rationale [][2]int // from, to
}

// Request asks for a table.
type Request struct {
	Model  explain.Engine
	Name   string // of the model
	Data   string // name of the data set
	Inputs []Input
	Most   int      // explain at most so many of them, evenly spread; 0 = all
	Only   []string // methods; nil = all that suit the model
	// Draws is the size of the random control (0 = explain.DefaultDraws).
	Draws   int
	Seed    uint64
	Workers int // inputs explained at once, each on one thread; 0 = 1
	// Checkpoint and Open are for the randomisation check (explain.SanityRequest); without them none is made. It looks at the
	// first Checks inputs (0 = 8).
	Checkpoint fs.FS
	Open       func(fs.FS) (explain.Engine, error)
	Checks     int
	Progress   func(done, of int) // may be nil; called by one goroutine at a time
}

// Measure explains the inputs by every method and gives the table. An input that a method cannot explain counts as failed; errors
// are those of the context, inference.ErrInput where there is nothing to explain, or explain.ErrUnknownMethod.
func Measure(ctx context.Context, r Request) (*Table, error) {
	if len(r.Inputs) == 0 {
		return nil, fmt.Errorf("faithfulness: the data set is empty: %w", inference.ErrInput)
	}
	if r.Draws <= 0 {
		r.Draws = explain.DefaultDraws
	}
	t := &Table{Format: Format, Model: r.Name, Digest: r.Model.Info().Digest, Engine: inference.EngineVersion(), Data: r.Data, Of: len(r.Inputs),
		Draws: r.Draws, Seed: r.Seed}
	methods, err := r.methods(t)
	if err != nil {
		return nil, err
	}
	inputs := spread(r.Inputs, r.Most)
	t.Inputs = len(inputs)
	answers, err := r.explain(ctx, inputs, methods)
	if err != nil {
		return nil, err
	}
	for i, m := range methods {
		row := Row{Method: m.ID, Version: m.Version, Family: m.Family}
		var made []*explain.Explanation
		for k := range inputs {
			a := answers[k][i]
			if a.Err != nil {
				if row.Failed == "" {
					row.Failed = a.Err.Error()
				}
				continue
			}
			made = append(made, a.Explanation)
		}
		row.fill(made, r.Seed)
		t.Methods = append(t.Methods, row)
	}
	t.Right = right(inputs, answers)
	t.Agreement = agreement(methods, answers)
	return t, r.check(ctx, t, inputs)
}

// methods are those to measure; what does not suit goes into the table with its reason.
func (r Request) methods(t *Table) ([]explain.Method, error) {
	ids := r.Only
	if ids == nil {
		ids = explain.IDs()
	}
	info := r.Model.Info()
	suited := explain.Suited(info)
	var out []explain.Method
	for _, id := range slices.Sorted(slices.Values(ids)) {
		m, ok := explain.Lookup(id)
		if !ok {
			return nil, fmt.Errorf("faithfulness: %.60q is not a method of this program: %w", id, explain.ErrUnknownMethod)
		}
		if slices.ContainsFunc(suited, func(s explain.Method) bool { return s.ID == id }) {
			out = append(out, m)
			continue
		}
		why := "it explains models for other inputs"
		if slices.Contains(m.Modalities, info.Modality) {
			if err := m.Suitable(info); err != nil {
				why = err.Error()
			}
		}
		t.Refused = append(t.Refused, Refusal{m.ID, why})
	}
	return out, nil
}

// spread takes n inputs evenly over the set: those at the middle of n equal parts.
func spread(all []Input, n int) []Input {
	if n <= 0 || n >= len(all) {
		return all
	}
	out := make([]Input, n)
	for i := range out {
		out[i] = all[(2*i+1)*len(all)/(2*n)]
	}
	return out
}

// explain gives the answers by input and method. Inputs are shared out to the workers; each input is one call of explain.Each.
func (r Request) explain(ctx context.Context, inputs []Input, methods []explain.Method) ([][]explain.Answer, error) {
	var asks []explain.Ask
	for _, m := range methods {
		asks = append(asks, explain.Ask{Method: m.ID})
	}
	out := make([][]explain.Answer, len(inputs))
	var mu sync.Mutex
	next, done := 0, 0
	var wait sync.WaitGroup
	for range max(1, r.Workers) {
		wait.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(inputs) || ctx.Err() != nil {
					return
				}
				answers := explain.Each(ctx, explain.Request{Model: r.Model, Input: inputs[i].In, Draws: r.Draws, Seed: r.Seed, Threads: 1}, asks)
				for k := range answers {
					if e := answers[k].Explanation; e != nil { // what no figure needs is large
						e.Attention, e.Grid = nil, nil
						if len(inputs[i].Rationale) > 0 {
							e.Metrics = append(e.Metrics, r.marked(e, inputs[i].Rationale)...)
						}
					}
				}
				mu.Lock()
				out[i] = answers
				if done++; r.Progress != nil {
					r.Progress(done, len(inputs))
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return out, ctx.Err()
}

// fill averages the explanations of one method.
func (row *Row) fill(made []*explain.Explanation, seed uint64) {
	row.Inputs = len(made)
	if len(made) == 0 {
		row.Figures = []Figure{}
		return
	}
	n := float64(len(made))
	within, taken := 0, 0
	for _, e := range made {
		row.Gradients += float64(e.Gradients) / n
		row.Forwards += float64(e.Forwards) / n
		if e.Gradients > 0 {
			taken++
		}
		if e.Gradients <= 33 {
			within++
		}
	}
	if taken > 0 {
		share := float64(within) / n
		row.Within33 = &share
	}
	row.Figures = figures(made, seed)
}

// figures averages each figure over the explanations that have it, in the order of the first that has it.
func figures(made []*explain.Explanation, seed uint64) []Figure {
	type name struct{ id, mode string }
	values, gains := map[name][]float64{}, map[name][]float64{}
	var order []name
	out := []Figure{}
	byName := map[name]*Figure{}
	for _, e := range made {
		for _, f := range e.Metrics {
			k := name{f.ID, f.Mode}
			if byName[k] == nil {
				order = append(order, k)
				byName[k] = &Figure{ID: f.ID, Mode: f.Mode, Higher: f.Higher}
			}
			gain := f.Value - f.Control
			if !f.Higher {
				gain = -gain
			}
			values[k], gains[k] = append(values[k], f.Value), append(gains[k], gain)
			byName[k].Control += f.Control
			if gain > 0 {
				byName[k].Share++
			}
		}
	}
	for _, k := range order {
		f := byName[k]
		n := len(values[k])
		f.Inputs, f.Mean, f.Gain = n, metric.Mean(values[k]), metric.Mean(gains[k])
		f.Control /= float64(n)
		f.Share /= float64(n)
		f.Low, f.High = metric.Interval(values[k], metric.NewDraw(seed, "inputs "+k.id+" "+k.mode))
		f.GainLow, f.GainHigh = metric.Interval(gains[k], metric.NewDraw(seed, "inputs "+k.id+" "+k.mode))
		out = append(out, *f)
	}
	return out
}

// right counts the inputs whose explained class, the predicted one, is the label that people gave.
func right(inputs []Input, answers [][]explain.Answer) int {
	n := 0
	for i, in := range inputs {
		for _, a := range answers[i] {
			if a.Err == nil {
				if a.Explanation.Target.Label == in.Label {
					n++
				}
				break
			}
		}
	}
	return n
}

// check makes the randomisation check of every method.
func (r Request) check(ctx context.Context, t *Table, inputs []Input) error {
	if r.Checkpoint == nil || r.Open == nil {
		return nil
	}
	n := r.Checks
	if n <= 0 {
		n = 8
	}
	q := explain.SanityRequest{Checkpoint: r.Checkpoint, Open: r.Open, Seed: r.Seed}
	for _, in := range spread(inputs, n) {
		q.Inputs = append(q.Inputs, in.In)
	}
	var asks []explain.Ask
	for _, row := range t.Methods {
		asks = append(asks, explain.Ask{Method: row.Method})
	}
	checks, err := explain.RandomiseEach(ctx, q, asks)
	if err != nil {
		return err
	}
	for i, c := range checks {
		switch {
		case c.Err == nil:
			t.Methods[i].Sanity = c.Sanity
		case errors.Is(c.Err, context.Canceled), errors.Is(c.Err, context.DeadlineExceeded):
			return c.Err
		}
	}
	return nil
}
