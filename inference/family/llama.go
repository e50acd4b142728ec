package family

import (
	"fmt"
	"math"
	"strconv"

	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// Llama and its relatives: RMS norms before the blocks, rotary positions, groups of query heads over shared key-value heads, gated feed-forward.

func init() {
	register(Family{Name: "llama", Load: llamaLike("llama", "LlamaForCausalLM", func(c *llamaConfig) { c.biases(c.AttentionBias, c.AttentionBias) })})
	register(Family{Name: "mistral", Load: llamaLike("mistral", "MistralForCausalLM", func(c *llamaConfig) { c.windowed = func(int) bool { return true } })})
	register(Family{Name: "qwen2", Load: llamaLike("qwen2", "Qwen2ForCausalLM", func(c *llamaConfig) { c.biases(true, false); c.qwenWindows() })})
	register(Family{Name: "qwen3", Load: llamaLike("qwen3", "Qwen3ForCausalLM", func(c *llamaConfig) {
		c.biases(c.AttentionBias, c.AttentionBias)
		c.headNorms = true
		c.qwenWindows()
	})})
}

type llamaConfig struct {
	Architectures []string `json:"architectures"`
	Vocab         int      `json:"vocab_size"`
	Positions     int      `json:"max_position_embeddings"`
	Hidden        int      `json:"hidden_size"`
	Layers        int      `json:"num_hidden_layers"`
	Heads         int      `json:"num_attention_heads"`
	KV            int      `json:"num_key_value_heads"`
	Width         int      `json:"head_dim"`
	Inner         int      `json:"intermediate_size"`
	Act           string   `json:"hidden_act"`
	GemmaAct      string   `json:"hidden_activation"`
	Eps           float64  `json:"rms_norm_eps"`
	AttentionBias bool     `json:"attention_bias"`
	MLPBias       bool     `json:"mlp_bias"`
	Tied          *bool    `json:"tie_word_embeddings"`
	Window        *int     `json:"sliding_window"`
	UseWindow     bool     `json:"use_sliding_window"`
	WindowLayers  int      `json:"max_window_layers"`
	LayerTypes    []string `json:"layer_types"`
	Query         *float64 `json:"query_pre_attn_scalar"`
	ScoreCap      *float64 `json:"attn_logit_softcapping"`
	LogitCap      *float64 `json:"final_logit_softcapping"`
	ropeConfig

	qkvBias, outBias bool
	headNorms        bool           // RMS norm of each query and key head
	windowed         func(int) bool // whether a layer looks at the window only; nil for none
	gemma            int            // generation of Gemma, 0 for the others
}

func (c *llamaConfig) biases(qkv, out bool) { c.qkvBias, c.outBias = qkv, out }

// qwenWindows: layers from max_window_layers on, or those that layer_types names.
func (c *llamaConfig) qwenWindows() {
	if c.UseWindow {
		c.windowed = func(i int) bool { return i >= c.WindowLayers }
	}
}

// window is the number of keys that layer i sees, 0 for all.
func (c *llamaConfig) window(i int) (int, error) {
	if c.Window == nil || c.windowed == nil {
		return 0, nil
	}
	if *c.Window < 1 {
		return 0, fmt.Errorf("family: %w: sliding_window is %d", ErrConfig, *c.Window)
	}
	if len(c.LayerTypes) > 0 {
		if len(c.LayerTypes) != c.Layers {
			return 0, fmt.Errorf("family: %w: %d layer types for %d layers", ErrConfig, len(c.LayerTypes), c.Layers)
		}
		switch c.LayerTypes[i] {
		case "sliding_attention":
			return *c.Window, nil
		case "full_attention":
			return 0, nil
		}
		return 0, fmt.Errorf("family: layer type %.40q: %w", c.LayerTypes[i], ErrUnsupported)
	}
	if c.windowed(i) {
		return *c.Window, nil
	}
	return 0, nil
}

// llamaLike makes the loader of a relative; options sets what its config does not say.
func llamaLike(name, architecture string, options func(*llamaConfig)) func(Source) (Network, error) {
	return func(s Source) (Network, error) {
		c := llamaConfig{Act: "silu", Eps: 1e-6, Positions: 2048}
		if err := decode(s.Config, &c); err != nil {
			return nil, err
		}
		options(&c)
		if c.KV == 0 {
			c.KV = c.Heads
		}
		z := sizes{c.Vocab, c.Hidden, c.Layers, c.Heads, c.KV, c.Inner, c.Positions, c.Eps}
		if err := z.check(); err != nil {
			return nil, err
		}
		if c.Width == 0 {
			c.Width = c.Hidden / c.Heads
		}
		if err := inRange("head_dim", c.Width, 1, 1<<12); err != nil {
			return nil, err
		}
		if err := headed(name, c.Architectures, architecture); err != nil {
			return nil, err
		}
		return c.load(s, name, architecture)
	}
}

func (c *llamaConfig) load(s Source, name, architecture string) (Network, error) {
	act, err := activation(name, c.Act)
	if err != nil {
		return nil, err
	}
	rope, err := c.rope(c.Width, 1e4)
	if err != nil {
		return nil, err
	}
	tied := c.gemma > 0
	if c.Tied != nil {
		tied = *c.Tied
	}
	l := nn.NewLoader(s.Weights, "embed_tokens.weight", "model.", "")
	l.KeepHalves()
	n := &causal{body: stack{words: table(l, "embed_tokens", c.Vocab, c.Hidden, tied), scale: 1, taps: causalTaps("model.layers.", "model.embed_tokens")}}
	for i := 0; i < c.Layers && l.Err() == nil; i++ {
		window, err := c.window(i)
		if err != nil {
			return nil, err
		}
		n.body.layers = append(n.body.layers, c.layer(l, i, window, rope, act))
	}
	n.body.last = norm{rms: l.RMSNorm("norm", c.Hidden, c.Eps, c.offset())}
	n.head = headOf(l, "lm_head", n.body.words)
	if c.gemma > 0 {
		n.body.scale, n.body.scaled = float32(math.Sqrt(float64(c.Hidden))), true
	}
	if c.LogitCap != nil {
		n.cap = float32(*c.LogitCap)
	}
	if l.Err() != nil {
		return nil, l.Err()
	}
	return n, n.describe(s, Description{Family: name, Architecture: one(c.Architectures, architecture), Layers: c.Layers, Heads: c.Heads,
		Hidden: c.Hidden, MaxTokens: c.Positions, Vocab: c.Vocab})
}

// offset is what is added to the weights of the RMS norms.
func (c *llamaConfig) offset() float32 {
	if c.gemma > 0 {
		return 1
	}
	return 0
}

func (c *llamaConfig) layer(l *nn.Loader, i, window int, rope *op.Rope, act *op.Act) layer {
	p := "layers." + strconv.Itoa(i) + "."
	d, q, kv := c.Hidden, c.Heads*c.Width, c.KV*c.Width
	scale := 1 / math.Sqrt(float64(c.Width))
	if c.Query != nil && c.gemma > 1 {
		scale = 1 / math.Sqrt(*c.Query)
	}
	rms := func(name string) norm { return norm{rms: l.RMSNorm(p+name, d, c.Eps, c.offset())} }
	gate := l.Project(p+"mlp.gate_proj", d, c.Inner, c.MLPBias)
	out := layer{
		self: attention{q: l.Project(p+"self_attn.q_proj", d, q, c.qkvBias), k: l.Project(p+"self_attn.k_proj", d, kv, c.qkvBias),
			v: l.Project(p+"self_attn.v_proj", d, kv, c.qkvBias), o: l.Project(p+"self_attn.o_proj", q, d, c.outBias),
			heads: c.Heads, kv: c.KV, width: c.Width, scale: float32(scale), rope: rope, window: window, causal: true},
		mlp:      mlp{gate: &gate, up: l.Project(p+"mlp.up_proj", d, c.Inner, c.MLPBias), down: l.Project(p+"mlp.down_proj", c.Inner, d, c.MLPBias), act: act},
		selfNorm: rms("input_layernorm"),
	}
	if c.headNorms {
		out.self.qNorm = l.RMSNorm(p+"self_attn.q_norm", c.Width, c.Eps, c.offset())
		out.self.kNorm = l.RMSNorm(p+"self_attn.k_norm", c.Width, c.Eps, c.offset())
	}
	if c.gemma < 2 {
		out.mlpNorm = rms("post_attention_layernorm")
		return out
	}
	out.selfAfter, out.mlpNorm, out.mlpAfter = rms("post_attention_layernorm"), rms("pre_feedforward_layernorm"), rms("post_feedforward_layernorm")
	if c.ScoreCap != nil {
		out.self.limit = float32(*c.ScoreCap)
	}
	return out
}
