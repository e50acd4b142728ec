package inference

import (
	"context"
	"fmt"

	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// targets gives every example its target; where the index is left open it is the predicted class, found by a run.
func (m *Model) targets(ctx context.Context, batch []Example, spec RunSpec) ([]Target, error) {
	out := make([]Target, len(batch))
	t := *spec.Target
	switch t.Quantity {
	case "":
		t.Quantity = "logit"
	case "logit", "logprob", "prob", "diff":
	default:
		return nil, fmt.Errorf("inference: %w: target quantity %.20q; choose logit, logprob, prob or diff", ErrInput, t.Quantity)
	}
	if len(t.Index) > 0 {
		for i := range out {
			out[i] = t
		}
		return out, nil
	}
	results, err := m.Run(ctx, batch, RunSpec{Patch: spec.Patch, Threads: spec.Threads})
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if len(r.Output.Shape) != 1 {
			return nil, fmt.Errorf("inference: %w: this model's output has shape %v; the target must name its element", ErrInput, r.Output.Shape)
		}
		out[i] = t
		out[i].Index = []int{argmax(r.Output.Data)}
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
