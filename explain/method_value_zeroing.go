package explain

import (
	"context"
	"fmt"
	"math"
	"slices"

	"vitrine/inference"
)

// Value zeroing (Mohebbi et al. 2023): in one layer at a time the value vector of one token is set to zero, and 1 less the
// cosine between the layer's output with and without it is what the token gave to each position; rows are normalised,
// changes below 1e-5 count as none, and layers are multiplied. One row of the product is read.
func init() {
	register(Method{
		ID: "value-zeroing", Version: "1", Family: "attention", Modalities: []string{"text", "image"},
		Params: append(targetParams(), baselineParam(), rowParam()),
		Suitable: func(info inference.Info) error {
			if err := attentive(info); err != nil {
				return err
			}
			if len(info.Taps.Hidden) != len(info.Taps.Attentions)+1 {
				return fmt.Errorf("explain: %s does not show the hidden state of every layer: %w", info.Name, ErrUnsuitable)
			}
			return nil
		},
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1+tokens, 1)
		},
		run: runValueZeroing,
	})
}

func runValueZeroing(ctx context.Context, p *Problem) (*Attribution, error) {
	a, err := p.attentions(ctx, true)
	if err != nil {
		return nil, err
	}
	out, err := p.run(ctx, []inference.Example{p.Example}, p.Info.Taps.Hidden, nil)
	if err != nil {
		return nil, err
	}
	var scores [][]float64
	for l := range a.probs {
		s, err := p.zeroValues(ctx, a, l, out[0].Taps)
		if err != nil {
			return nil, err
		}
		scores = append(scores, s)
	}
	layer := func(l int) []float64 { return scores[l] }
	found := p.overTokens(a.stream(a.row, layer), a.relevanceRow(), a)
	if p.Detail {
		found.Matrix, found.Detail = a.matrix(layer), slices.Concat(scores...)
	}
	return found, nil
}

// zeroValues gives what each token's value vector in a layer adds to each position (T,T), rows normalised. A zero value
// vector is the same as a zero column of the attention probabilities, which a run can write over.
func (p *Problem) zeroValues(ctx context.Context, a *heads, l int, hidden map[string]inference.Tensor) ([]float64, error) {
	below, above, tap := p.Info.Taps.Hidden[l], p.Info.Taps.Hidden[l+1], p.Info.Taps.Attentions[l]
	clean := hidden[above].Data
	width := len(clean) / a.t
	scores := make([]float64, a.t*a.t)
	for first := 0; first < a.t; first += p.chunk() {
		var batch []inference.Example
		for j := first; j < min(first+p.chunk(), a.t); j++ {
			probs := slices.Clone(a.probs[l])
			for i := j; i < len(probs); i += a.t {
				probs[i] = 0
			}
			x := p.Example
			x.Patch = map[string]inference.Tensor{below: hidden[below], tap: {Shape: []int{a.h, a.t, a.t}, Data: probs}}
			batch = append(batch, x)
		}
		out, err := p.Engine.Run(ctx, batch, inference.RunSpec{Taps: []string{above}, Threads: p.Threads})
		if err != nil {
			return nil, err
		}
		for k, r := range out {
			for i := range a.t {
				scores[i*a.t+first+k] = cosineDistance(clean[i*width:(i+1)*width], r.Taps[above].Data[i*width:(i+1)*width])
			}
		}
	}
	const least = 1e-5
	for i := range a.t {
		row, total := scores[i*a.t:(i+1)*a.t], 0.0
		for j, v := range row {
			if v < least {
				row[j] = 0
			}
			total += row[j]
		}
		for j := range row {
			if total > 0 {
				row[j] /= total
			}
		}
	}
	return scores, nil
}

func cosineDistance(a, b []float32) float64 {
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return 1 - ab/math.Sqrt(float64(aa*bb))
}
