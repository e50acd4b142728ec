package vision

func init() {
	registerKind("CLIP", func(c *config) (plan, error) { return shortestPlan(c, 224, 224, Bicubic) })
}
