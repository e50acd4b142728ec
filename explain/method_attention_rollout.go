package explain

import (
	"context"

	"vitrine/inference"
)

// Attention rollout (Abnar & Zuidema 2020): the product over layers of (mean of the heads + I) with normalised
// rows, read in one row.
func init() {
	register(Method{
		ID: "attention-rollout", Version: "1", Family: "attention", Modalities: []string{"text", "image"},
		Params:   append(targetParams(), baselineParam(), rowParam()),
		Suitable: attentive,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runRollout,
	})
}

func runRollout(ctx context.Context, p *Problem) (*Attribution, error) {
	a, err := p.attentions(ctx, true)
	if err != nil {
		return nil, err
	}
	out := p.overTokens(a.stream(a.row, a.rolloutLayer), a.relevanceRow(), a)
	if p.Detail {
		out.Matrix = a.matrix(a.rolloutLayer)
	}
	return out, nil
}

// rolloutLayer is the layer's (mean of the heads + I) with rows that sum to 1, (T,T).
func (a *heads) rolloutLayer(layer int) []float64 {
	m := make([]float64, a.t*a.t)
	for i := range a.t {
		total := 0.0
		for j := range a.t {
			v := 0.0
			for h := range a.h {
				v += float64(a.probs[layer][(h*a.t+i)*a.t+j])
			}
			v /= float64(a.h)
			if i == j {
				v++
			}
			m[i*a.t+j] = v
			total += v
		}
		for j := range a.t {
			m[i*a.t+j] /= total
		}
	}
	return m
}

// stream multiplies the unit row e_row with the layers' matrices from the last layer to the first: one row of the
// product, without ever holding the product.
func (a *heads) stream(row int, layer func(int) []float64) []float64 {
	r := make([]float64, a.t)
	r[row] = 1
	for l := len(a.probs) - 1; l >= 0; l-- {
		r = rowTimes(r, layer(l))
	}
	return r
}

// matrix is the whole product, row by row.
func (a *heads) matrix(layer func(int) []float64) []float64 {
	layers := make([][]float64, len(a.probs))
	for l := range layers {
		layers[l] = layer(l)
	}
	out := make([]float64, 0, a.t*a.t)
	for i := range a.t {
		out = append(out, a.stream(i, func(l int) []float64 { return layers[l] })...)
	}
	return out
}

func rowTimes(r, m []float64) []float64 {
	out := make([]float64, len(r))
	for i, v := range r {
		if v == 0 {
			continue
		}
		for j := range out {
			out[j] += float64(v * m[i*len(r)+j])
		}
	}
	return out
}
