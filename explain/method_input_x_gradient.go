package explain

import (
	"context"

	"vitrine/inference"
)

// Input x gradient (Shrikumar et al. 2016; Captum InputXGradient): x * dF/dx, summed over the width.
func init() {
	register(Method{
		ID: "input-x-gradient", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true,
		Params:   append(targetParams(), baselineParam()),
		Suitable: differentiable, joint: true,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runInputXGradient,
	})
}

func runInputXGradient(ctx context.Context, p *Problem) (*Attribution, error) {
	x, g, fx, err := p.gradient(ctx)
	if err != nil {
		return nil, err
	}
	fb, err := p.baselineValue(ctx)
	if err != nil {
		return nil, err
	}
	units, width, index, shape := p.layout(len(g))
	a := &Attribution{Values: make([]float64, units), Shape: shape, Output: fx, BaselineOutput: fb}
	if p.Detail {
		a.Detail = make([]float64, len(g))
	}
	for i := range a.Values {
		acc := 0.0
		for j := range width {
			k := index(i, j)
			// the product of two float32 is exact in float64, so no rounding depends on fusing
			v := float64(x[k]) * float64(g[k])
			acc += v
			if p.Detail {
				a.Detail[k] = v
			}
		}
		a.Values[i] = acc
	}
	return a, nil
}
