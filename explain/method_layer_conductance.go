package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// Layer conductance (Dhamdhere et al. 2018; Captum LayerConductance): while the input moves from the baseline, each change of the
// layer's values times the gradient with respect to them at the point before.
func init() {
	register(Method{
		ID: "layer-conductance", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true,
		Params: layerPath(),
		Suitable: func(info inference.Info) error {
			if err := differentiable(info); err != nil {
				return err
			}
			return layered(info)
		},
		Cost: layerPathCost, run: runConductance,
	})
}

func runConductance(ctx context.Context, p *Problem) (*Attribution, error) {
	tap, ends, l, err := p.atLayer(ctx, false)
	if err != nil {
		return nil, err
	}
	x, b, _, _, err := p.ends(ctx, false)
	if err != nil {
		return nil, err
	}
	rule, err := captumRule(paramString(p.Params, "rule"), paramInt(p.Params, "steps")+1)
	if err != nil {
		return nil, err
	}
	in := &integral{p: p, x: x, b: b}
	values := make([]float64, len(ends[0].Taps[tap].Data))
	var last, slope []float32 // the layer's values and gradient at the point before
	for chunk := range slices.Chunk(rule.nodes, p.chunk()) {
		batch := make([]inference.Example, len(chunk))
		for i, a := range chunk {
			batch[i] = p.at(in.point(a))
		}
		out, err := p.run(ctx, batch, []string{tap}, []string{tap})
		if err != nil {
			return nil, fmt.Errorf("explain: layer-conductance: %w", err)
		}
		for _, r := range out {
			now := r.Taps[tap].Data
			for i := range last {
				values[i] += float64((float64(now[i]) - float64(last[i])) * float64(slope[i]))
			}
			last, slope = now, r.Grads[tap].Data
		}
	}
	return p.onLayer(l, values, tap, ends), nil
}
