package explain

import (
	"context"

	"vitrine/inference"
)

// Gradient × activation of an inner layer (Captum LayerGradientXActivation): a·dF/da.
func init() {
	register(Method{
		ID: "layer-gradient-x-activation", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true,
		Params:   append(targetParams(), baselineParam(), layerParam()),
		Suitable: layered,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runLayerGradientXActivation,
	})
}

func runLayerGradientXActivation(ctx context.Context, p *Problem) (*Attribution, error) {
	tap, ends, l, err := p.atLayer(ctx, true)
	if err != nil {
		return nil, err
	}
	x, g := ends[0].Taps[tap].Data, ends[0].Grads[tap].Data
	values := make([]float64, len(x))
	for i := range values {
		values[i] = float64(x[i]) * float64(g[i])
	}
	return p.onLayer(l, values, tap, ends), nil
}
