package explain

// Eigen-CAM (Muhammad & Yeasin 2020): the feature maps projected on their first principal component. It speaks for no class in
// particular.
func init() {
	registerCAM("eigen-cam", func(m *activations) *Attribution { return m.eigen(false) })
}
