package explain

import "context"

// VarGrad (Adebayo et al. 2018; Captum NoiseTunnel vargrad): the variance E[g²]-E[g]² of the gradient over several copies of the
// input with normal noise.
func init() {
	register(Method{
		ID: "vargrad", Version: "1", Family: "gradient", Modalities: []string{"text", "image"},
		Params:   append(targetParams(), baselineParam(), samplesParam(16), noiseParam(), innerParam()),
		Suitable: differentiable,
		Cost:     noisyCost,
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			mean, square, err := p.noisyGradients(ctx)
			if err != nil {
				return nil, err
			}
			for i, m := range mean {
				square[i] -= float64(m * m)
			}
			return p.noisy(ctx, square, "sum")
		},
	})
}
