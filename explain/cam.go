package explain

import (
	"context"
	"fmt"

	"vitrine/inference"
)

// activations are a layer's feature maps A and their gradients G = dF/dA, brought to channels × places, in float64.
type activations struct {
	tap      string
	layout   layout
	shape    []int     // as the engine gives the layer
	a, g     []float64 // value of channel c at place i lies at layout.index(i,c)
	raw      []float32
	fx, fb   float64
	channels int
}

// registerCAM adds a method of the class-activation family: with A a layer's feature maps (C,h,w) and G = dF/dA, value makes the
// map. The raw signed map is stored; ReLU, scaling and upsampling are display. In a vision transformer a channel is a number of
// the hidden state and a place a patch; the class token is left out.
func registerCAM(id string, value func(m *activations) *Attribution) {
	register(Method{
		ID: id, Version: "1", Family: "cam", Modalities: []string{"image"}, Signed: true,
		Params: camParams(), Suitable: mapped, Cost: gradientCost,
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			m, err := p.featureMaps(ctx, true)
			if err != nil {
				return nil, err
			}
			return value(m), nil
		},
	})
}

// camParams are the parameters of every class-activation method.
func camParams(more ...Param) []Param {
	return append(append(targetParams(), baselineParam(), Param{Name: "layer", Type: "string", Default: "last", Help: "explain.param.cam_layer"}), more...)
}

// mapped is the condition of the class-activation family.
func mapped(info inference.Info) error {
	if len(info.Taps.Features) == 0 {
		return fmt.Errorf("explain: %s has no feature maps: %w", info.Name, ErrUnsuitable)
	}
	return nil
}

// featureMaps runs the picture once and reads the layer of the parameter, with its gradient where asked for.
func (p *Problem) featureMaps(ctx context.Context, gradients bool) (*activations, error) {
	m := &activations{}
	var known bool
	m.tap, known = layerTap(p.Info, paramString(p.Params, "layer"))
	var wrt []string
	if gradients {
		wrt = []string{m.tap}
	}
	out, err := p.run(ctx, []inference.Example{p.Example}, []string{m.tap}, wrt)
	if err != nil {
		return nil, noLayer(ctx, p.Info, m.tap, known, err)
	}
	if m.fb, err = p.baselineValue(ctx); err != nil {
		return nil, err
	}
	t := out[0].Taps[m.tap]
	if len(t.Shape) == 1 {
		return nil, fmt.Errorf("explain: layer %s gives values of shape %v where (channels, height, width) is due: %w", m.tap, t.Shape, ErrUnsuitable)
	}
	if m.layout, err = p.layerLayout(t.Shape); err != nil {
		return nil, err
	}
	m.shape, m.raw, m.a, m.fx, m.channels = t.Shape, t.Data, widen(t.Data), out[0].Value, m.layout.width
	if gradients {
		if m.g = widen(out[0].Grads[m.tap].Data); len(m.g) != len(m.a) {
			return nil, fmt.Errorf("explain: %d gradients for the %d values of layer %s: %w", len(m.g), len(m.a), m.tap, ErrUnsuitable)
		}
	}
	return m, nil
}

// weighed is the map Σ_c w_c A_c.
func (m *activations) weighed(weights []float64) *Attribution {
	a := m.empty()
	for c, w := range weights {
		for i := range a.Values {
			a.Values[i] += float64(w * m.a[m.layout.index(i, c)])
		}
	}
	a.Weights = weights
	return a
}

// summed is the map Σ_c f(A_c, G_c), place by place.
func (m *activations) summed(f func(a, g float64) float64) *Attribution {
	out := m.empty()
	for c := range m.channels {
		for i := range out.Values {
			k := m.layout.index(i, c)
			out.Values[i] += f(m.a[k], m.g[k])
		}
	}
	return out
}

func (m *activations) empty() *Attribution {
	return &Attribution{Values: make([]float64, m.layout.units), Shape: m.layout.shape, Output: m.fx, BaselineOutput: m.fb, Layer: m.tap}
}

// perChannel gives one number a channel: f folds over its places.
func (m *activations) perChannel(f func(c int) float64) []float64 {
	out := make([]float64, m.channels)
	for c := range out {
		out[c] = f(c)
	}
	return out
}

// gradientMeans is the mean of the gradients of each channel: the weights of Grad-CAM.
func (m *activations) gradientMeans() []float64 {
	return m.perChannel(func(c int) float64 {
		w := 0.0
		for i := range m.layout.units {
			w += m.g[m.layout.index(i, c)]
		}
		return w / float64(m.layout.units)
	})
}

// gradientCost is one forward pass for the baseline and one gradient.
func gradientCost(info inference.Info, tokens int, _ map[string]any) Cost {
	return spend(info, tokens, 1, 1)
}
