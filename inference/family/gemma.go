package family

// Gemma is Llama with word embeddings scaled by √D and norms stored as distances from one (modeling_gemma.py of transformers); Gemma 2 adds norms behind the
// blocks, soft caps, and a window in every other layer, the first included (modeling_gemma2.py).
func init() {
	register(Family{Name: "gemma", Load: llamaLike("gemma", "GemmaForCausalLM", func(c *llamaConfig) { c.gemmaOf(1) })})
	register(Family{Name: "gemma2", Load: llamaLike("gemma2", "Gemma2ForCausalLM", func(c *llamaConfig) {
		c.gemmaOf(2)
		c.windowed = func(i int) bool { return i%2 == 0 }
	})})
}

func (c *llamaConfig) gemmaOf(generation int) {
	c.gemma = generation
	c.biases(c.AttentionBias, c.AttentionBias)
	// Older configs say "gelu" and mean the tanh form; hidden_activation says what is meant.
	if c.Act = c.GemmaAct; c.Act == "" {
		c.Act = "gelu_pytorch_tanh"
	}
}
