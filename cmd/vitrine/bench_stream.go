package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"vitrine/inference"
	"vitrine/inference/generate"
)

func init() {
	registerBench(benchCase{name: "streams", model: true, run: func(ctx context.Context, o *benchOptions) (*benchResult, error) {
		var alone, together []float64
		r, err := measureModel(ctx, o, func(_ context.Context, m *inference.Model, batch []inference.Example) (benchStep, error) {
			if err := generates(o, m); err != nil {
				return nil, err
			}
			return streamsStep(o, m, batch[0].IDs, &alone, &together), nil
		})
		if err == nil {
			slices.Sort(alone)
			slices.Sort(together)
			r.TokensPerS = benchStreams * float64(o.newTokens) / quantile(together, 0.5)
			r.AloneTokensPerS = float64(o.newTokens) / quantile(alone, 0.5)
		}
		return r, err
	}})
	registerBench(benchCase{name: "first-token", model: true, run: func(ctx context.Context, o *benchOptions) (*benchResult, error) {
		var gaps []float64
		r, err := measureModel(ctx, o, func(_ context.Context, m *inference.Model, batch []inference.Example) (benchStep, error) {
			if err := generates(o, m); err != nil {
				return nil, err
			}
			return firstTokenStep(o, m, batch[0].IDs, &gaps), nil
		})
		if err == nil {
			slices.Sort(gaps)
			r.N, r.MinS, r.MedianS, r.P90S = len(gaps), gaps[0], quantile(gaps, 0.5), quantile(gaps, 0.9)
			r.TokensPerS = 0
		}
		return r, err
	}})
}

// generates refuses a model that does not go on with texts.
func generates(o *benchOptions, m *inference.Model) error {
	if o.newTokens < 1 {
		return usagef("--new-tokens must be at least 1")
	}
	if m.Describe().Task != "text-generation" {
		return usagef("the model does not go on with texts")
	}
	return nil
}

// benchStreams is how many requests the case streams runs at once.
const benchStreams = 8

// streamsStep writes --new-tokens ids after one prompt, then after eight others at once; alone and together get the seconds of either. The prompts of full
// pages (64 tokens) are found again from the second run on, so that only new tokens are timed.
func streamsStep(o *benchOptions, m *inference.Model, ids []int32, alone, together *[]float64) benchStep {
	write := func(ctx context.Context, stream int) ([]float32, error) {
		p := append(slices.Clone(ids), ids[len(ids)-1])
		p[0] = ids[stream%len(ids)]
		out, err := m.Continue(ctx, generate.Prompt{IDs: p}, generate.Options{MaxNew: o.newTokens, Threads: o.threads}, nil)
		if err != nil {
			return nil, err
		}
		written := make([]float32, len(out[0].Tokens))
		for i, t := range out[0].Tokens {
			written[i] = float32(t.ID)
		}
		return written, nil
	}
	return func(ctx context.Context) ([]float32, error) {
		begin := time.Now()
		first, err := write(ctx, 0)
		if err != nil {
			return nil, err
		}
		*alone = append(*alone, time.Since(begin).Seconds())
		begin = time.Now()
		errs := make([]error, benchStreams)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { _, errs[i] = write(ctx, i) })
		}
		group.Wait()
		*together = append(*together, time.Since(begin).Seconds())
		return first, errors.Join(errs...)
	}
}

// firstTokenStep computes a prompt and hands out one id; gaps gets the seconds from the end of the prompt's computation until the receiver has the id.
func firstTokenStep(o *benchOptions, m *inference.Model, ids []int32, gaps *[]float64) benchStep {
	return func(ctx context.Context) ([]float32, error) {
		var computed time.Time
		var logits []float32
		_, err := m.Continue(ctx, generate.Prompt{IDs: ids}, generate.Options{MaxNew: 1, Threads: o.threads, Allow: func(_ []int32, x []float32) {
			computed = time.Now()
			logits = append(logits, x[:min(3, len(x))]...)
		}}, func(generate.Token) error {
			*gaps = append(*gaps, time.Since(computed).Seconds())
			return nil
		})
		return logits, err
	}
}
