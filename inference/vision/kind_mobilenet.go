package vision

func init() {
	build := func(c *config) (plan, error) { return shortestPlan(c, 256, 224, Bilinear) }
	registerKind("MobileNetV1", build)
	registerKind("MobileNetV2", build)
}
