package explain

import (
	"context"

	"vitrine/inference"
)

// Saliency (Simonyan et al. 2013; Captum Saliency): the size of dF/dx. Behind a LayerNorm on the embedding sum the
// gradient summed over the width is exactly 0 for every token, so the default reduction is the L2 norm.
func init() {
	register(Method{
		ID: "saliency", Version: "1", Family: "gradient", Modalities: []string{"text", "image"},
		Params:   append(targetParams(), baselineParam(), reduceParam()),
		Suitable: differentiable, joint: true,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runSaliency,
	})
}

func runSaliency(ctx context.Context, p *Problem) (*Attribution, error) {
	_, g, fx, err := p.gradient(ctx)
	if err != nil {
		return nil, err
	}
	fb, err := p.baselineValue(ctx)
	if err != nil {
		return nil, err
	}
	a := p.reduce(p.inputLayout(len(g)), widen(g), paramString(p.Params, "reduce"))
	a.Output, a.BaselineOutput = fx, fb
	return a, nil
}

func widen(values []float32) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}
