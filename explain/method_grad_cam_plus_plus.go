package explain

import "math"

// Grad-CAM++ (Chattopadhyay et al. 2018): with a = G²/(2G² + (Σ A_c)G³ + 1e-6) a channel weighs Σ relu(G_c) a.
func init() {
	registerCAM("grad-cam-plus-plus", func(m *activations) *Attribution {
		return m.weighed(m.plusPlusWeights())
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
