package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"vitrine/inference"
)

func init() {
	for _, name := range []string{"forward", "hidden", "attentions"} {
		registerBench(benchCase{name: name, model: true, run: func(ctx context.Context, o *benchOptions) (*benchResult, error) {
			return measureModel(ctx, o, func(ctx context.Context, m *inference.Model, batch []inference.Example) (benchStep, error) {
				return forwardStep(name, o, m, batch)
			})
		}})
	}
}

// measureModel opens the checkpoint, makes the batch and measures what prepare returns.
func measureModel(ctx context.Context, o *benchOptions, prepare func(context.Context, *inference.Model, []inference.Example) (benchStep, error)) (*benchResult, error) {
	if o.threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.threads)) // loading takes no more threads than the run
	}
	begin := time.Now()
	m, err := inference.Open(o.dir)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	batch, err := benchBatch(m.Describe(), o)
	if err != nil {
		return nil, err
	}
	step, err := prepare(ctx, m, batch)
	if err != nil {
		return nil, err
	}
	r, err := measure(ctx, o, begin, step)
	if err == nil && m.Describe().Modality == "text" {
		r.TokensPerS = float64(o.tokens*o.batch) / r.MedianS
	}
	return r, err
}

// forwardStep is one run without gradients: the output, or the last hidden states, or the output and all attention maps.
func forwardStep(name string, o *benchOptions, m *inference.Model, batch []inference.Example) (benchStep, error) {
	spec := inference.RunSpec{Threads: o.threads}
	taps := m.Describe().Taps
	hidden := ""
	switch {
	case name == "attentions" && len(taps.Attentions) == 0:
		return nil, usagef("--case attentions: the model has no attention maps")
	case name == "attentions":
		spec.Taps = taps.Attentions
	case name == "hidden" && len(taps.Hidden) == 0:
		return nil, usagef("--case hidden: the model has no hidden states")
	case name == "hidden":
		hidden = taps.Hidden[len(taps.Hidden)-1]
		spec.Taps = []string{hidden}
	}
	return func(ctx context.Context) ([]float32, error) {
		r, err := m.Run(ctx, batch, spec)
		if err != nil {
			return nil, err
		}
		if hidden != "" {
			return r[0].Taps[hidden].Data, nil
		}
		return r[0].Output.Data, nil
	}, nil
}

// benchBatch makes inputs of the wanted size: from --input, or from a fixed rule.
func benchBatch(info inference.Info, o *benchOptions) ([]inference.Example, error) {
	var given []uint32
	if o.input != "" {
		raw, err := os.ReadFile(o.input)
		if err != nil {
			return nil, fmt.Errorf("reading the input: %w", err)
		}
		for i := 0; i+4 <= len(raw); i += 4 {
			given = append(given, binary.LittleEndian.Uint32(raw[i:]))
		}
	}
	out := make([]inference.Example, o.batch)
	if info.Modality == "image" {
		shape := []int{info.ImageChannels, info.ImageHeight, info.ImageWidth}
		n := shape[0] * shape[1] * shape[2]
		for i := range out {
			px := make([]float32, n)
			for j := range px {
				px[j] = float32((j*2654435761+i)%4096)/2048 - 1
				if given != nil && len(given) == n*o.batch {
					px[j] = math.Float32frombits(given[i*n+j])
				}
			}
			out[i] = inference.Example{Pixels: px, Shape: shape}
		}
		return out, fits(given, n*o.batch)
	}
	if o.tokens > info.MaxTokens {
		return nil, usagef("--tokens %d is more than the model reads at once (%d)", o.tokens, info.MaxTokens)
	}
	for i := range out {
		ids := make([]int32, o.tokens)
		for j := range ids {
			ids[j] = int32(110 + (j*7+i)%89)
			if given != nil && len(given) == o.tokens*o.batch {
				ids[j] = int32(given[i*o.tokens+j])
			}
		}
		if given == nil {
			ids[0], ids[o.tokens-1] = max(0, info.SpecialIDs.CLS), max(0, info.SpecialIDs.Sep)
		}
		out[i] = inference.Example{IDs: ids, Types: make([]int32, o.tokens)}
	}
	return out, fits(given, o.tokens*o.batch)
}

var errBenchInput = errors.New("the input does not fit")

func fits(given []uint32, want int) error {
	if given != nil && len(given) != want {
		return fmt.Errorf("%w: --input holds %d numbers, the batch takes %d", errBenchInput, len(given), want)
	}
	return nil
}
