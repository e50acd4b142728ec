package family

import (
	"fmt"
	"math"
	"strconv"

	"vitrine/inference/nn"
	"vitrine/inference/op"
)

func init() { register(Family{Name: "gpt2", Load: loadGPT2}) }

type gpt2Config struct {
	Architectures []string `json:"architectures"`
	Vocab         int      `json:"vocab_size"`
	Positions     int      `json:"n_positions"`
	Hidden        int      `json:"n_embd"`
	Layers        int      `json:"n_layer"`
	Heads         int      `json:"n_head"`
	Inner         *int     `json:"n_inner"`
	Act           string   `json:"activation_function"`
	Eps           float64  `json:"layer_norm_epsilon"`
	Scale         *bool    `json:"scale_attn_weights"`
	ByLayer       bool     `json:"scale_attn_by_inverse_layer_idx"`
	Cross         bool     `json:"add_cross_attention"`
	Tied          *bool    `json:"tie_word_embeddings"`
}

// loadGPT2 follows modeling_gpt2.py of transformers: Radford et al. 2019, norms before the blocks, learned positions, weights stored (in,out).
func loadGPT2(s Source) (Network, error) {
	c := gpt2Config{Vocab: 50257, Positions: 1024, Hidden: 768, Layers: 12, Heads: 12, Act: "gelu_new", Eps: 1e-5}
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	inner := 4 * c.Hidden
	if c.Inner != nil {
		inner = *c.Inner
	}
	z := sizes{c.Vocab, c.Hidden, c.Layers, c.Heads, c.Heads, inner, c.Positions, c.Eps}
	if err := z.check(); err != nil {
		return nil, err
	}
	if c.Hidden%c.Heads != 0 {
		return nil, fmt.Errorf("family: %w: n_embd %d does not divide into %d heads", ErrConfig, c.Hidden, c.Heads)
	}
	if err := headed("gpt2", c.Architectures, "GPT2LMHeadModel"); err != nil {
		return nil, err
	}
	if c.Cross {
		return nil, fmt.Errorf("family: gpt2 with cross-attention: %w", ErrUnsupported)
	}
	act, err := activation("gpt2", c.Act)
	if err != nil {
		return nil, err
	}
	l := nn.NewLoader(s.Weights, "wte.weight", "transformer.", "")
	n := &causal{body: stack{words: table(l, "wte", c.Vocab, c.Hidden, c.Tied == nil || *c.Tied), scale: 1, taps: causalTaps("transformer.h.", "transformer.wte"),
		positions: &op.Positions{Table: *table(l, "wpe", c.Positions, c.Hidden, false)}}}
	for i := 0; i < c.Layers && l.Err() == nil; i++ {
		n.body.layers = append(n.body.layers, c.layer(l, i, inner, act))
	}
	n.body.last = norm{layer: l.Norm("ln_f", c.Hidden, c.Eps)}
	n.head = headOf(l, "lm_head", n.body.words)
	if l.Err() != nil {
		return nil, l.Err()
	}
	return n, n.describe(s, Description{Family: "gpt2", Architecture: one(c.Architectures, "GPT2LMHeadModel"), Layers: c.Layers, Heads: c.Heads,
		Hidden: c.Hidden, MaxTokens: c.Positions, Vocab: c.Vocab})
}

func (c *gpt2Config) layer(l *nn.Loader, i, inner int, act *op.Act) layer {
	p := "h." + strconv.Itoa(i) + "."
	d := c.Hidden
	// columns are the parts of a weight stored (in,out), side by side.
	columns := func(name string, in, out, parts int) []nn.Linear {
		b := l.Tensor(p+name+".bias", out)
		w := l.Borrow(p+name+".weight", in, out)
		list := make([]nn.Linear, parts)
		for j := range list {
			list[j] = l.Columns(p+name, w, b, in, out, span(j*out/parts, (j+1)*out/parts))
		}
		return list
	}
	qkv := columns("attn.c_attn", d, 3*d, 3)
	scale := 1.0
	if c.Scale == nil || *c.Scale {
		scale = 1 / math.Sqrt(float64(d/c.Heads))
	}
	if c.ByLayer {
		scale /= float64(i + 1)
	}
	return layer{
		self: attention{q: qkv[0], k: qkv[1], v: qkv[2], o: columns("attn.c_proj", d, d, 1)[0], heads: c.Heads, kv: c.Heads,
			width: d / c.Heads, scale: float32(scale), causal: true},
		mlp:      mlp{up: columns("mlp.c_fc", d, inner, 1)[0], down: columns("mlp.c_proj", inner, d, 1)[0], act: act},
		selfNorm: norm{layer: l.Norm(p+"ln_1", d, c.Eps)}, mlpNorm: norm{layer: l.Norm(p+"ln_2", d, c.Eps)},
	}
}

// span lists the numbers from lo to hi-1.
func span(lo, hi int) []int {
	out := make([]int, 0, hi-lo)
	for i := lo; i < hi; i++ {
		out = append(out, i)
	}
	return out
}
