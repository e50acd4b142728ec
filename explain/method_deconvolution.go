package explain

import (
	"context"

	"vitrine/inference"
)

// Deconvolution (Zeiler & Fergus 2014; Captum Deconvolution): the gradient, where a ReLU lets what is positive of it pass
// wherever its input was. It fails the parameter-randomisation test and always comes with a warning.
func init() {
	register(Method{
		ID: "deconvolution", Version: "1", Family: "gradient", Modalities: []string{"image"}, Signed: true,
		Params:   append(targetParams(), baselineParam()),
		Suitable: rectified,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 2)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) { return p.ruled(ctx, "deconvolution") },
	})
}
