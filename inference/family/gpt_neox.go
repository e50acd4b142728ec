package family

import (
	"fmt"
	"math"
	"strconv"

	"vitrine/inference/nn"
	"vitrine/inference/op"
)

func init() { register(Family{Name: "gpt_neox", Load: loadGPTNeoX}) }

type neoxConfig struct {
	Architectures []string `json:"architectures"`
	Vocab         int      `json:"vocab_size"`
	Positions     int      `json:"max_position_embeddings"`
	Hidden        int      `json:"hidden_size"`
	Layers        int      `json:"num_hidden_layers"`
	Heads         int      `json:"num_attention_heads"`
	Inner         int      `json:"intermediate_size"`
	Act           string   `json:"hidden_act"`
	Eps           float64  `json:"layer_norm_eps"`
	Parallel      *bool    `json:"use_parallel_residual"`
	Bias          *bool    `json:"attention_bias"`
	Tied          bool     `json:"tie_word_embeddings"`
	OldPartial    *float64 `json:"rotary_pct"`
	OldTheta      float64  `json:"rotary_emb_base"`
	ropeConfig
}

// loadGPTNeoX follows modeling_gpt_neox.py of transformers: Black et al. 2022, rotary positions over a part of each head, queries, keys and values of a head
// side by side in one weight, both blocks on the layer's input where the config says so.
func loadGPTNeoX(s Source) (Network, error) {
	c := neoxConfig{Act: "gelu", Eps: 1e-5}
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	z := sizes{c.Vocab, c.Hidden, c.Layers, c.Heads, c.Heads, c.Inner, c.Positions, c.Eps}
	if err := z.check(); err != nil {
		return nil, err
	}
	if c.Hidden%c.Heads != 0 {
		return nil, fmt.Errorf("family: %w: hidden_size %d does not divide into %d heads", ErrConfig, c.Hidden, c.Heads)
	}
	if err := headed("gpt_neox", c.Architectures, "GPTNeoXForCausalLM"); err != nil {
		return nil, err
	}
	act, err := activation("gpt_neox", c.Act)
	if err != nil {
		return nil, err
	}
	if c.Theta == 0 {
		c.Theta = c.OldTheta
	}
	if c.Partial == nil {
		quarter := 0.25 // the family's own default
		if c.Partial = c.OldPartial; c.Partial == nil {
			c.Partial = &quarter
		}
	}
	rope, err := c.rope(c.Hidden/c.Heads, 1e4)
	if err != nil {
		return nil, err
	}
	l := nn.NewLoader(s.Weights, "embed_in.weight", "gpt_neox.", "")
	l.KeepHalves()
	n := &causal{body: stack{words: table(l, "embed_in", c.Vocab, c.Hidden, c.Tied), scale: 1, taps: causalTaps("gpt_neox.layers.", "gpt_neox.embed_in")}}
	for i := 0; i < c.Layers && l.Err() == nil; i++ {
		n.body.layers = append(n.body.layers, c.layer(l, i, rope, act))
	}
	n.body.last = norm{layer: l.Norm("final_layer_norm", c.Hidden, c.Eps)}
	n.head = headOf(l, "embed_out", n.body.words)
	if l.Err() != nil {
		return nil, l.Err()
	}
	return n, n.describe(s, Description{Family: "gpt_neox", Architecture: one(c.Architectures, "GPTNeoXForCausalLM"), Layers: c.Layers, Heads: c.Heads,
		Hidden: c.Hidden, MaxTokens: c.Positions, Vocab: c.Vocab})
}

func (c *neoxConfig) layer(l *nn.Loader, i int, rope *op.Rope, act *op.Act) layer {
	p := "layers." + strconv.Itoa(i) + "."
	d, bias := c.Hidden, c.Bias == nil || *c.Bias
	w := l.Borrow(p+"attention.query_key_value.weight", 3*d, d)
	var b []float32
	if bias {
		b = l.Tensor(p+"attention.query_key_value.bias", 3*d)
	}
	if l.Err() != nil {
		return layer{}
	}
	width := d / c.Heads
	part := func(j int) nn.Linear {
		var rows []int
		for h := range c.Heads {
			rows = append(rows, span((3*h+j)*width, (3*h+j+1)*width)...)
		}
		return l.Rows(p+"attention.query_key_value", w, b, d, rows)
	}
	return layer{
		self: attention{q: part(0), k: part(1), v: part(2), o: l.Project(p+"attention.dense", d, d, bias), heads: c.Heads, kv: c.Heads, width: width,
			scale: float32(1 / math.Sqrt(float64(width))), rope: rope, causal: true},
		mlp:      mlp{up: l.Linear(p+"mlp.dense_h_to_4h", d, c.Inner), down: l.Linear(p+"mlp.dense_4h_to_h", c.Inner, d), act: act},
		selfNorm: norm{layer: l.Norm(p+"input_layernorm", d, c.Eps)}, mlpNorm: norm{layer: l.Norm(p+"post_attention_layernorm", d, c.Eps)},
		parallel: c.Parallel == nil || *c.Parallel,
	}
}
