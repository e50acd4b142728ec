package explain

// Grad-CAM (Selvaraju et al. 2017): Σ_c mean(G_c) A_c.
func init() {
	registerCAM("grad-cam", func(m *activations) *Attribution {
		return m.weighed(m.gradientMeans())
	})
}
