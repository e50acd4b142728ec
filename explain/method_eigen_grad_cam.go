package explain

// Eigen-Grad-CAM (pytorch-grad-cam): G·A projected on its first principal component.
func init() {
	registerCAM("eigen-grad-cam", func(m *activations) *Attribution { return m.eigen(true) })
}
