package family

import "vitrine/inference/op"

// Marian is BART with fixed sinusoidal positions and without a norm of the embeddings (modeling_marian.py of transformers; Junczys-Dowmunt et al. 2018).
func init() {
	register(Family{Name: "marian", Load: bartLike(bartKind{name: "marian", architecture: "MarianMTModel", task: "translation", post: true, bare: true, biased: true,
		positions: func(c *bartConfig) *op.Positions { return sinusoids(c.Positions, c.Hidden, 0, c.Hidden/2) }})})
}
