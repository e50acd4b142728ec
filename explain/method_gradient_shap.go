package explain

import (
	"context"
	"fmt"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// Gradient SHAP, expected gradients (Lundberg & Lee 2017; Erion et al. 2021; Captum GradientShap): the mean over samples of
// (x+noise-b)·dF/dx at a random place between b and x+noise. It is complete in expectation only.
func init() {
	register(Method{
		ID: "gradient-shap", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true,
		Params:   append(targetParams(), baselineParam(), samplesParam(32), noiseParam()),
		Suitable: differentiable,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			return spend(info, tokens, 2, paramInt(params, "samples"))
		},
		run: runGradientSHAP,
	})
}

func runGradientSHAP(ctx context.Context, p *Problem) (*Attribution, error) {
	x, b, fx, fb, err := p.ends(ctx, false)
	if err != nil {
		return nil, err
	}
	noise := p.noise(x, "gradient-shap noise")
	d := metric.NewDraw(p.Seed, "gradient-shap path")
	n := paramInt(p.Params, "samples")
	steps := make([][]float64, n) // x+noise-b
	var ends []inference.Example  // both ends of each sample's path, where the deltas are asked for
	var sums []float64
	point := func(i int) []float32 {
		z, base, alpha := noise(i), b, 0.0
		if g := p.Given; g != nil && g.Alphas != nil {
			base, alpha = g.Baselines[g.Pick[i]], g.Alphas[i]
		} else {
			alpha = d.Uniform()
		}
		out := make([]float32, len(z))
		steps[i] = make([]float64, len(z))
		for k := range z {
			steps[i][k] = float64(z[k]) - float64(base[k])
			out[k] = float32(float64(base[k]) + float64(alpha*steps[i][k]))
		}
		if p.Detail {
			ends = append(ends, p.at(z), p.at(base))
		}
		return out
	}
	total := make([]float64, len(x))
	err = p.gradientsAt(ctx, n, point, func(i int, _ float64, g []float32) error {
		s := 0.0
		for k, v := range g {
			s += float64(steps[i][k] * float64(v))
			total[k] += float64(steps[i][k]*float64(v)) / float64(n)
		}
		sums, steps[i] = append(sums, s), nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("explain: gradient-shap: %w", err)
	}
	a := p.reduce(p.inputLayout(len(x)), total, "sum")
	a.Output, a.BaselineOutput = fx.Value, fb.Value
	if !p.Detail {
		return a, nil
	}
	values, err := p.values(ctx, ends)
	for i, s := range sums {
		if err == nil {
			a.SampleDeltas = append(a.SampleDeltas, s-(values[2*i]-values[2*i+1]))
		}
	}
	return a, err
}
