package vision

func init() {
	registerKind("ViT", func(c *config) (plan, error) {
		return fixedPlan(c, size{Height: 224, Width: 224}, Bilinear)
	})
}
