package vision

func init() {
	registerKind("Segformer", func(c *config) (plan, error) {
		return fixedPlan(c, size{Height: 512, Width: 512}, Bilinear)
	})
}
