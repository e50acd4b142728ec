package family

import "vitrine/inference/op"

// M2M100 (and NLLB, which has its shape) is BART with norms before the blocks and fixed positions that start behind the padding id and whose slowest sine
// is the base's reciprocal (modeling_m2m_100.py of transformers; Fan et al. 2021).
func init() {
	register(Family{Name: "m2m_100", Load: bartLike(bartKind{name: "m2m_100", architecture: "M2M100ForConditionalGeneration", task: "translation", scaled: true,
		positions: func(c *bartConfig) *op.Positions { return sinusoids(c.Positions, c.Hidden, c.Pad+1, c.Hidden/2-1) }})})
}
