package main

import (
	"context"
	"errors"
	"slices"

	"vitrine/inference"
	"vitrine/inference/generate"
)

func init() {
	for name, step := range map[string]func(*benchOptions, *inference.Model, []int32) benchStep{
		"prefill": prefillStep, "decode": decodeStep, "generation-attribution": attributionStep,
	} {
		registerBench(benchCase{name: name, model: true, run: func(ctx context.Context, o *benchOptions) (*benchResult, error) {
			if o.newTokens < 1 {
				return nil, usagef("--new-tokens must be at least 1")
			}
			r, err := measureModel(ctx, o, func(_ context.Context, m *inference.Model, batch []inference.Example) (benchStep, error) {
				if m.Describe().Task != "text-generation" {
					return nil, usagef("--case %s: the model does not go on with texts", name)
				}
				return step(o, m, batch[0].IDs), nil
			})
			if err == nil && name != "prefill" {
				r.TokensPerS = float64(o.newTokens) / r.MedianS
			}
			return r, err
		}})
	}
}

// errNoLogits: a step was asked for without anything to show.
var errNoLogits = errors.New("the model gave no logits")

// prefillStep computes a prompt and the logits behind it. The prompts of different runs differ in their first id, so that none is found in what earlier
// ones left.
func prefillStep(o *benchOptions, m *inference.Model, ids []int32) benchStep {
	run := 0
	return func(ctx context.Context) ([]float32, error) {
		p := append([]int32{}, ids...)
		if run > 0 {
			p[0] = int32(run % (100 + len(ids))) // within any vocabulary that the prompt's ids are in
		}
		run++
		var logits []float32
		_, err := m.Continue(ctx, generate.Prompt{IDs: p}, generate.Options{MaxNew: 1, Threads: o.threads,
			Allow: func(_ []int32, x []float32) { logits = append(logits, x[:min(3, len(x))]...) }}, nil)
		if err == nil && logits == nil {
			err = errNoLogits
		}
		return logits, err
	}
}

// decodeStep writes --new-tokens ids greedily, one row each, after the prompt and the most probable id behind it. What was computed of the prompt is found
// again, whole pages of it, so that with a prompt of full pages (64 tokens) nothing but the new rows is timed. The result starts with that first id.
func decodeStep(o *benchOptions, m *inference.Model, ids []int32) benchStep {
	var p []int32
	return func(ctx context.Context) ([]float32, error) {
		if p == nil {
			first, err := m.Continue(ctx, generate.Prompt{IDs: ids}, generate.Options{MaxNew: 1, Threads: o.threads}, nil)
			if err != nil {
				return nil, err
			}
			p = append(slices.Clone(ids), first[0].Tokens[0].ID)
		}
		out, err := m.Continue(ctx, generate.Prompt{IDs: p}, generate.Options{MaxNew: o.newTokens, Threads: o.threads}, nil)
		if err != nil {
			return nil, err
		}
		written := []float32{float32(p[len(ids)])}
		for _, t := range out[0].Tokens {
			written = append(written, float32(t.ID))
		}
		return written, nil
	}
}

// attributionStep writes --new-tokens ids and attributes each one's probability to all tokens before it by input × gradient: one forward pass over the whole
// text, and one reverse pass a word.
func attributionStep(o *benchOptions, m *inference.Model, ids []int32) benchStep {
	embeddings := m.Describe().Taps.Embeddings
	return func(ctx context.Context) ([]float32, error) {
		out, err := m.Continue(ctx, generate.Prompt{IDs: ids}, generate.Options{MaxNew: o.newTokens, Threads: o.threads}, nil)
		if err != nil {
			return nil, err
		}
		text := append([]int32{}, ids...)
		spec := inference.RunSpec{Taps: []string{embeddings}, Wrt: []string{embeddings}, Threads: o.threads}
		for i, t := range out[0].Tokens {
			spec.Targets = append(spec.Targets, inference.Target{Index: []int{len(ids) - 1 + i, int(t.ID)}, Quantity: "prob"})
			if i+1 < len(out[0].Tokens) {
				text = append(text, t.ID)
			}
		}
		r, err := m.Run(ctx, []inference.Example{{IDs: text}}, spec)
		if err != nil {
			return nil, err
		}
		x := r[0].Taps[embeddings]
		var sums []float32
		for _, pull := range r[0].Each {
			sums = append(sums, timesInput(x, pull.Grads[embeddings])...)
		}
		return sums, nil
	}
}

// timesInput sums input times gradient over each token.
func timesInput(x, gradient inference.Tensor) []float32 {
	t, d := x.Shape[0], x.Shape[1]
	out := make([]float32, t)
	for i := range out {
		for j := i * d; j < (i+1)*d; j++ {
			out[i] += float32(x.Data[j] * gradient.Data[j])
		}
	}
	return out
}
