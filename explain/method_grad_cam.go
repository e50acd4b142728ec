package explain

import (
	"context"
	"math"
)

// The class-activation family. With A a layer's feature maps (C,h,w) and G = dF/dA:
//
//	grad-cam            Σ_c mean(G_c) A_c                             Selvaraju et al. 2017
//	hires-cam           Σ_c G_c A_c, place by place                    Draelos & Carin 2020
//	layer-cam           Σ_c relu(G_c) A_c                              Jiang et al. 2021
//	xgrad-cam           w_c = Σ G_c A_c / (Σ A_c + 1e-7)               Fu et al. 2020
//	grad-cam-plus-plus  a = G²/(2G² + (Σ A_c)G³ + 1e-6), w_c = Σ relu(G_c) a   Chattopadhyay et al. 2018
//
// The raw signed map is stored; ReLU, scaling and upsampling are display. In a vision transformer a channel is a
// number of the hidden state, a place a patch; the class token is left out.
func init() {
	for _, m := range []struct {
		id    string
		value func(m *activations) *Attribution
	}{
		{"grad-cam", func(m *activations) *Attribution { return m.weighed(m.gradientMeans()) }},
		{"hires-cam", func(m *activations) *Attribution {
			return m.summed(func(a, g float64) float64 { return float64(a * g) })
		}},
		{"layer-cam", func(m *activations) *Attribution {
			return m.summed(func(a, g float64) float64 { return float64(a * max(g, 0)) })
		}},
		{"xgrad-cam", func(m *activations) *Attribution { return m.weighed(m.xgradWeights()) }},
		{"grad-cam-plus-plus", func(m *activations) *Attribution { return m.weighed(m.plusPlusWeights()) }},
	} {
		register(Method{
			ID: m.id, Version: "1", Family: "cam", Modalities: []string{"image"}, Signed: true,
			Params: camParams(), Suitable: mapped, Cost: gradientCost,
			run: func(ctx context.Context, p *Problem) (*Attribution, error) {
				layer, err := p.featureMaps(ctx, true)
				if err != nil {
					return nil, err
				}
				return m.value(layer), nil
			},
		})
	}
}

func (m *activations) xgradWeights() []float64 {
	return m.perChannel(func(c int) float64 {
		product, total := 0.0, 0.0
		for i := range m.layout.units {
			k := m.layout.index(i, c)
			product += float64(m.g[k] * m.a[k])
			total += m.a[k]
		}
		if d := total + 1e-7; d != 0 {
			return product / d
		}
		return 0
	})
}

func (m *activations) plusPlusWeights() []float64 {
	return m.perChannel(func(c int) float64 {
		total := 0.0
		for i := range m.layout.units {
			total += m.a[m.layout.index(i, c)]
		}
		w := 0.0
		for i := range m.layout.units {
			g := m.g[m.layout.index(i, c)]
			square := float64(g * g)
			d := float64(2*square) + float64(total*float64(square*g)) + 1e-6
			if g != 0 && d != 0 && !math.IsInf(d, 0) {
				w += float64(max(g, 0) * (square / d))
			}
		}
		return w
	})
}
