package explain

// XGrad-CAM (Fu et al. 2020): a channel weighs Σ G_c A_c / (Σ A_c + 1e-7).
func init() {
	registerCAM("xgrad-cam", func(m *activations) *Attribution {
		return m.weighed(m.xgradWeights())
	})
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
