package explain

// LayerCAM (Jiang et al. 2021): Σ_c relu(G_c) A_c, place by place.
func init() {
	registerCAM("layer-cam", func(m *activations) *Attribution {
		return m.summed(func(a, g float64) float64 { return float64(a * max(g, 0)) })
	})
}
