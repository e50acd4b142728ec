package family

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"vitrine/inference/nn"
	"vitrine/inference/op"
)

func init() {
	register(Family{Name: "t5", Load: t5("t5", "T5ForConditionalGeneration")})
	register(Family{Name: "mt5", Load: t5("mt5", "MT5ForConditionalGeneration")})
}

type t5Config struct {
	Architectures []string `json:"architectures"`
	Vocab         int      `json:"vocab_size"`
	Hidden        int      `json:"d_model"`
	Width         int      `json:"d_kv"`
	Inner         int      `json:"d_ff"`
	Layers        int      `json:"num_layers"`
	DecoderLayers *int     `json:"num_decoder_layers"`
	Heads         int      `json:"num_heads"`
	Buckets       int      `json:"relative_attention_num_buckets"`
	Distance      int      `json:"relative_attention_max_distance"`
	Eps           float64  `json:"layer_norm_epsilon"`
	FeedForward   string   `json:"feed_forward_proj"`
	Tied          *bool    `json:"tie_word_embeddings"`
	ScaleOutputs  *bool    `json:"scale_decoder_outputs"`
	Positions     int      `json:"n_positions"`
}

// t5 follows modeling_t5.py of transformers: Raffel et al. 2020, RMS norms before the blocks, scores neither scaled nor positioned but for a learned bias of
// relative distances that all layers of a stack share.
func t5(name, architecture string) func(Source) (Network, error) {
	return func(s Source) (Network, error) {
		c := t5Config{Width: 64, Buckets: 32, Distance: 128, Eps: 1e-6, FeedForward: "relu", Positions: 512}
		if err := decode(s.Config, &c); err != nil {
			return nil, err
		}
		if c.DecoderLayers == nil {
			c.DecoderLayers = &c.Layers
		}
		for _, layers := range []int{c.Layers, *c.DecoderLayers} {
			if err := (sizes{c.Vocab, c.Hidden, layers, c.Heads, c.Heads, c.Inner, c.Positions, c.Eps}).check(); err != nil {
				return nil, err
			}
		}
		if c.Width < 1 || c.Width > 1<<12 || c.Buckets < 4 || c.Buckets > 1<<16 || c.Distance <= c.Buckets/2 || c.Distance > 1<<20 {
			return nil, fmt.Errorf("family: %w: heads of %d, %d buckets up to distance %d", ErrConfig, c.Width, c.Buckets, c.Distance)
		}
		if err := headed(name, c.Architectures, architecture); err != nil {
			return nil, err
		}
		return c.load(s, name, architecture)
	}
}

func (c *t5Config) load(s Source, name, architecture string) (Network, error) {
	inner, gated := strings.CutPrefix(c.FeedForward, "gated-")
	if inner == "gelu" && gated {
		inner = "gelu_new" // as the reference reads "gated-gelu"
	}
	act, err := activation(name, inner)
	if err != nil {
		return nil, err
	}
	l := nn.NewLoader(s.Weights, "shared.weight", "")
	n := &seq2seq{scale: 1}
	// Newer files say tied and hold a head of their own where outputs are not scaled.
	words := table(l, "shared", c.Vocab, c.Hidden, !l.Has("lm_head.weight"))
	n.encoder = c.stack(l, "encoder", c.Layers, words, act, gated)
	n.decoder = c.stack(l, "decoder", *c.DecoderLayers, words, act, gated)
	tied := c.Tied == nil || *c.Tied
	if c.ScaleOutputs == nil && tied || c.ScaleOutputs != nil && *c.ScaleOutputs {
		n.scale = float32(1 / math.Sqrt(float64(c.Hidden)))
	}
	n.head = headOf(l, "lm_head", words)
	if l.Err() != nil {
		return nil, l.Err()
	}
	return n, n.describe(s, Description{Family: name, Architecture: one(c.Architectures, architecture), Hidden: c.Hidden, MaxTokens: c.Positions,
		MaxDecoder: c.Positions, Vocab: c.Vocab}, "")
}

func (c *t5Config) stack(l *nn.Loader, side string, layers int, words *op.Table, act *op.Act, gated bool) stack {
	decoder := side == "decoder"
	s := stack{words: words, scale: 1, taps: encoderTaps(side + ".block.")}
	if decoder {
		s.taps = decoderTaps(side + ".block.")
	}
	bias := &op.RelativeBias{Buckets: c.Buckets, H: c.Heads, MaxDistance: c.Distance, TwoWay: !decoder,
		Data: l.Tensor(side+".block.0.layer.0.SelfAttention.relative_attention_bias.weight", c.Buckets, c.Heads)}
	d, q := c.Hidden, c.Heads*c.Width
	attend := func(p string) attention {
		return attention{q: l.Project(p+".q", d, q, false), k: l.Project(p+".k", d, q, false), v: l.Project(p+".v", d, q, false),
			o: l.Project(p+".o", q, d, false), heads: c.Heads, kv: c.Heads, width: c.Width, scale: 1}
	}
	for i := 0; i < layers && l.Err() == nil; i++ {
		p := side + ".block." + strconv.Itoa(i) + ".layer."
		y := layer{self: attend(p + "0.SelfAttention"), selfNorm: norm{rms: l.RMSNorm(p+"0.layer_norm", d, c.Eps, 0)}}
		y.self.bias, y.self.causal = bias, decoder
		last := "1"
		if decoder {
			cross := attend(p + "1.EncDecAttention")
			y.cross, y.crossNorm, last = &cross, norm{rms: l.RMSNorm(p+"1.layer_norm", d, c.Eps, 0)}, "2"
		}
		f := p + last + ".DenseReluDense."
		y.mlp = mlp{down: l.Project(f+"wo", c.Inner, d, false), act: act}
		if gated {
			gate := l.Project(f+"wi_0", d, c.Inner, false)
			y.mlp.gate, y.mlp.up = &gate, l.Project(f+"wi_1", d, c.Inner, false)
		} else {
			y.mlp.up = l.Project(f+"wi", d, c.Inner, false)
		}
		y.mlpNorm = norm{rms: l.RMSNorm(p+last+".layer_norm", d, c.Eps, 0)}
		s.layers = append(s.layers, y)
	}
	s.last = norm{rms: l.RMSNorm(side+".final_layer_norm", d, c.Eps, 0)}
	return s
}
