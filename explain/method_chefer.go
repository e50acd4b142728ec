package explain

import (
	"context"

	"vitrine/inference"
)

// Gradient-weighted attention relevance (Chefer et al. 2021, encoder rule): with Ā = mean over heads of
// relu(dF/dA * A), R = I, then R += Ā R layer by layer; one row is read.
func init() {
	register(Method{
		ID: "chefer", Version: "1", Family: "attention", Modalities: []string{"text", "image"},
		Params:   append(targetParams(), baselineParam(), rowParam()),
		Suitable: attentive, joint: true,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runChefer,
	})
}

func runChefer(ctx context.Context, p *Problem) (*Attribution, error) {
	if len(p.Info.Taps.CrossAttentions) > 0 {
		return runCheferAcross(ctx, p)
	}
	a, err := p.attentions(ctx, true)
	if err != nil {
		return nil, err
	}
	out := p.overTokens(a.relevanceRow(), nil, a)
	if p.Detail {
		out.Matrix = a.matrix(a.relevanceLayer)
	}
	return out, nil
}

func (a *heads) relevanceRow() []float64 { return a.stream(a.row, a.relevanceLayer) }

// relevanceLayer is I + Ā of a layer, (T,T).
func (a *heads) relevanceLayer(layer int) []float64 {
	m := make([]float64, a.t*a.t)
	for i := range m {
		v := 0.0
		for h := range a.h {
			k := h*a.t*a.t + i
			v += max(0, float64(a.probs[layer][k])*float64(a.gradients[layer][k]))
		}
		m[i] = v / float64(a.h)
	}
	for i := range a.t {
		m[i*a.t+i]++
	}
	return m
}
