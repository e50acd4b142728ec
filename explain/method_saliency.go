package explain

import (
	"context"
	"math"

	"vitrine/inference"
)

// Saliency (Simonyan et al. 2013; Captum Saliency): the size of dF/dx. Behind a LayerNorm on the embedding sum the
// gradient summed over the width is exactly 0 for every token, so the default reduction is the L2 norm.
func init() {
	register(Method{
		ID: "saliency", Version: "1", Family: "gradient", Modalities: []string{"text", "image"},
		Params: append(targetParams(), baselineParam(), Param{Name: "reduce", Type: "enum", Default: "l2",
			Enum: []string{"l2", "l1", "max", "sum"}, Help: "explain.param.reduce"}),
		Suitable: differentiable,
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
	units, width, index, shape := p.layout(len(g))
	a := &Attribution{Values: make([]float64, units), Shape: shape, Output: fx, BaselineOutput: fb}
	how := paramString(p.Params, "reduce")
	for i := range a.Values {
		acc := 0.0
		for j := range width {
			v := float64(g[index(i, j)])
			switch how {
			case "l1":
				acc += math.Abs(v)
			case "max":
				acc = max(acc, math.Abs(v))
			case "sum":
				acc += v
			default:
				acc += float64(v * v)
			}
		}
		if how == "l2" {
			acc = math.Sqrt(acc)
		}
		a.Values[i] = acc
	}
	if p.Detail {
		a.Detail = widen(g)
	}
	return a, nil
}

func widen(values []float32) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}
