package inference

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// maxTargets bounds the targets of one run.
const maxTargets = 4096

// wanted is the list of a run's targets, none or one of them for most.
func (s *RunSpec) wanted() []Target {
	if s.Target != nil {
		return []Target{*s.Target}
	}
	return s.Targets
}

// quantity is what the scalar of every target is made of: logit, logprob or prob; "" without a target.
func (s *RunSpec) quantity() (string, error) {
	if s.Target != nil && len(s.Targets) > 0 || len(s.Targets) > maxTargets {
		return "", fmt.Errorf("inference: %w: give one target, or a list of up to %d", ErrInput, maxTargets)
	}
	quantity := ""
	for _, t := range s.wanted() {
		q := t.Quantity
		switch q {
		case "", "diff":
			q = "logit"
		case "logit", "logprob", "prob":
		default:
			return "", fmt.Errorf("inference: %w: target quantity %.20q; choose logit, logprob, prob or diff", ErrInput, q)
		}
		if quantity != "" && q != quantity {
			return "", fmt.Errorf("inference: %w: the targets of one run mix %s and %s; run them apart", ErrInput, quantity, q)
		}
		quantity = q
	}
	return quantity, nil
}

// predicted gives the class of each example with the highest output, if a target leaves its index open.
func (m *Model) predicted(ctx context.Context, batch []Example, spec RunSpec) ([][]int, error) {
	if !slices.ContainsFunc(spec.wanted(), func(t Target) bool { return len(t.Index) == 0 }) {
		return nil, nil
	}
	results, err := m.Run(ctx, batch, RunSpec{Patch: spec.Patch, Threads: spec.Threads})
	if err != nil {
		return nil, err
	}
	out := make([][]int, len(batch))
	for i, r := range results {
		if next := m.next(r.Output); next != nil {
			out[i] = next
			continue
		}
		if len(r.Output.Shape) != 1 {
			return nil, fmt.Errorf("inference: %w: this model's output has shape %v; the target must name its element", ErrInput, r.Output.Shape)
		}
		out[i] = []int{argmax(r.Output.Data)}
	}
	return out, nil
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// rounds gives the feeds of each target: which elements of the outputs it weighs how. References are asked the same as
// their examples.
func (m *Model) rounds(c *compiled, members []int, spec RunSpec, predicted [][]int) ([]map[string]graph.Value, error) {
	var out []map[string]graph.Value
	copies := 1
	if c.paired {
		copies = 2
	}
	for _, t := range spec.wanted() {
		n := len(members) * op.Picks
		index, weight := make([]int32, n*copies), make([]float32, n*copies)
		for b, i := range members {
			t := t
			if len(t.Index) == 0 {
				t.Index = predicted[i]
			}
			if err := m.fillTarget(t, c.outShape, index[b*op.Picks:], weight[b*op.Picks:]); err != nil {
				return nil, err
			}
		}
		if c.paired {
			copy(index[n:], index)
			copy(weight[n:], weight)
		}
		feeds := map[string]graph.Value{feedIndex: {I: index}, feedWeight: {F: weight}}
		if c.row {
			feeds[feedRow] = graph.Value{I: rowsOf(index, c.outShape[1])}
		}
		out = append(out, feeds)
	}
	if out == nil {
		out = []map[string]graph.Value{nil}
	}
	return out, nil
}

// fillTarget writes a target as a sum of weighted elements of one example's output.
func (m *Model) fillTarget(t Target, shape []int, index []int32, weight []float32) error {
	n := 0
	add := func(at []int, w float32) error {
		flat, err := m.flatten(at, shape)
		for _, f := range flat {
			index[n], weight[n] = f, w
			n++
		}
		return err
	}
	if err := add(t.Index, 1); err != nil {
		return err
	}
	if t.Quantity != "diff" {
		return nil
	}
	if len(t.Minus) == 0 {
		return fmt.Errorf("inference: %w: a difference needs a second class", ErrInput)
	}
	return add(t.Minus, -1)
}

// flatten turns an index into offsets of the example's output: one, or start and end for question answering.
func (m *Model) flatten(at, shape []int) ([]int32, error) {
	bad := fmt.Errorf("inference: %w: target %v does not name an element of the output, whose shape is %v", ErrInput, at, shape)
	if m.desc.Task == "question-answering" {
		t := shape[1]
		if len(at) != 2 || at[0] < 0 || at[1] < 0 || at[0] >= t || at[1] >= t {
			return nil, bad
		}
		return []int32{int32(at[0]), int32(t + at[1])}, nil
	}
	if len(at) == 1 && len(shape) == 2 && m.generates() { // a word alone is meant as what comes next
		at = []int{shape[0] - 1, at[0]}
	}
	if len(at) == 2 && len(shape) == 2 && at[0] < 0 && m.generates() {
		at = []int{shape[0] + at[0], at[1]}
	}
	if len(at) != len(shape) {
		return nil, bad
	}
	flat := 0
	for i, v := range at {
		if v < 0 || v >= shape[i] {
			return nil, bad
		}
		flat = flat*shape[i] + v
	}
	return []int32{int32(flat)}, nil
}

// oneRow says whether each target lies in one row of the output: all but differences between words at two positions.
func (s *RunSpec) oneRow() bool {
	for _, t := range s.wanted() {
		if t.Quantity == "diff" && (len(t.Index) != len(t.Minus) || len(t.Index) == 2 && t.Index[0] != t.Minus[0]) {
			return false
		}
	}
	return true
}

// targetRow is the value that targets point into: the output, or, of a network with a wide head over many rows, the one row of it that they need,
// computed once more, so that the reverse pass goes through the head for that row alone. Rows do not influence each other there, so the bits are the same.
func (c *compiled) targetRow(q question) graph.ID {
	inner := slices.Concat(c.wrt, slices.Collect(maps.Values(c.patched)))
	if c.row = q.row && c.built.Head != nil && !slices.Contains(inner, c.output); !c.row {
		return c.output
	}
	g := c.built.G
	return c.built.Head(g, g.Add("take_row", nil, "", c.built.Last, g.IntInput(feedRow, q.batch)))
}

// rowsOf turns offsets of a whole output of rows of v into row numbers, one an example, and offsets within the row.
func rowsOf(index []int32, v int) []int32 {
	rows := make([]int32, len(index)/op.Picks)
	for b := range rows {
		at := index[b*op.Picks : (b+1)*op.Picks]
		rows[b] = at[0] / int32(v)
		for j := range at {
			at[j] %= int32(v)
		}
	}
	return rows
}

// addTarget appends the scalar that is differentiated: the quantity over the last dimension, then the picked elements.
func addTarget(g *graph.Graph, output graph.ID, quantity string) graph.ID {
	y := output
	switch quantity {
	case "logprob":
		y = g.Add("log_softmax", nil, "", y)
	case "prob":
		y = g.Add("softmax", &op.Softmax{Scale: 1}, "", y)
	}
	b := g.Shape(output)[0]
	return g.Add("pick", nil, "", y, g.IntInput(feedIndex, b, op.Picks), g.Input(feedWeight, b, op.Picks))
}
