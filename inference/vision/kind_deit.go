package vision

func init() {
	registerKind("DeiT", func(c *config) (plan, error) {
		pl, err := fixedPlan(c, size{Height: 256, Width: 256}, Bicubic)
		if err != nil || !on(c.DoCenterCrop, true) {
			return pl, err
		}
		return pl, pl.crop(c, size{Height: 224, Width: 224})
	})
}
