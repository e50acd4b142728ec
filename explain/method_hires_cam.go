package explain

// HiResCAM (Draelos & Carin 2020): Σ_c G_c A_c, place by place.
func init() {
	registerCAM("hires-cam", func(m *activations) *Attribution {
		return m.summed(func(a, g float64) float64 { return float64(a * g) })
	})
}
