package explain

import (
	"context"

	"vitrine/inference"
)

// DeepLIFT SHAP (Lundberg & Lee 2017; Captum DeepLiftShap): the mean of DeepLIFT over several baselines: zero, the blurred
// picture and the mean colour.
func init() {
	register(Method{
		ID: "deeplift-shap", Version: "1", Family: "gradient", Modalities: []string{"image"}, Signed: true, Complete: true,
		Params:   append(targetParams(), baselineParam(), poolParam()),
		Suitable: layeredChain,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 4, 6)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			if p.Given != nil && p.Given.Baselines != nil {
				return p.deepLIFT(ctx, p.Given.Baselines)
			}
			var baselines [][]float32
			for _, name := range []string{"zero", "blur", "mean"} {
				b, err := imageBaseline(p.Example, name)
				if err != nil {
					return nil, err
				}
				baselines = append(baselines, b.Pixels)
			}
			return p.deepLIFT(ctx, baselines)
		},
	})
}
