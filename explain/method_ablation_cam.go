package explain

import (
	"context"
	"slices"

	"vitrine/inference"
)

// Ablation-CAM (Desai & Ramaswamy 2020): a channel weighs (F - F without it)/F. It is switched off by zero; "reference"
// is what pytorch-grad-cam does: zero where the layer's least value is 0, otherwise 10^7 below the least value so far of a
// batch of 32 channels.
func init() {
	register(Method{
		ID: "ablation-cam", Version: "1", Family: "cam", Modalities: []string{"image"}, Signed: true,
		Params:   camParams(Param{Name: "ablate", Type: "enum", Default: "zero", Enum: []string{"zero", "reference"}, Help: "explain.param.ablate"}),
		Suitable: mapped,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 2+max(1, info.Hidden), 0)
		},
		run: runAblationCAM,
	})
}

func runAblationCAM(ctx context.Context, p *Problem) (*Attribution, error) {
	m, err := p.featureMaps(ctx, false)
	if err != nil {
		return nil, err
	}
	least := slices.Min(m.raw)
	cascade := paramString(p.Params, "ablate") == "reference" && least != 0
	weights := make([]float64, 0, m.channels)
	off := float32(0)
	for len(weights) < m.channels {
		var batch []inference.Example // each starts at the layer: what lies below is not computed
		for c := len(weights); c < min(len(weights)+p.chunk(), m.channels); c++ {
			if cascade {
				const group, step = 32, 1e7
				if off -= step; c%group == 0 {
					off = least - step
				}
			}
			patch := inference.Tensor{Shape: m.shape, Data: slices.Clone(m.raw)}
			for i := range m.layout.units {
				patch.Data[m.layout.index(i, c)] = off
			}
			x := p.Example
			x.Patch = map[string]inference.Tensor{m.tap: patch}
			batch = append(batch, x)
		}
		values, err := p.values(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			w := 0.0
			if m.fx != 0 {
				w = (m.fx - v) / m.fx
			}
			weights = append(weights, w)
		}
	}
	return m.weighed(weights), nil
}
