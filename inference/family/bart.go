package family

import (
	"fmt"
	"math"
	"strconv"

	"vitrine/inference/nn"
	"vitrine/inference/op"
)

func init() {
	register(Family{Name: "bart", Load: bartLike(bartKind{name: "bart", architecture: "BartForConditionalGeneration", post: true, biased: true, scaled: true})})
}

// bartKind is what the relatives of BART do differently.
type bartKind struct {
	name, architecture, task string
	post                     bool // norms behind the blocks and of the embeddings; otherwise before the blocks and one at the end
	bare                     bool // no norm of the embeddings
	biased                   bool // the logits have a bias
	scaled                   bool // the tap of the word embeddings lies behind their scale
	// positions makes the fixed positions; nil reads learned ones, two rows later.
	positions func(c *bartConfig) *op.Positions
}

type bartConfig struct {
	Architectures []string `json:"architectures"`
	Vocab         int      `json:"vocab_size"`
	DecoderVocab  *int     `json:"decoder_vocab_size"`
	Shared        *bool    `json:"share_encoder_decoder_embeddings"`
	Hidden        int      `json:"d_model"`
	Layers        int      `json:"encoder_layers"`
	DecoderLayers int      `json:"decoder_layers"`
	Heads         int      `json:"encoder_attention_heads"`
	DecoderHeads  int      `json:"decoder_attention_heads"`
	Inner         int      `json:"encoder_ffn_dim"`
	DecoderInner  int      `json:"decoder_ffn_dim"`
	Positions     int      `json:"max_position_embeddings"`
	Scale         bool     `json:"scale_embedding"`
	Act           string   `json:"activation_function"`
	Pad           int      `json:"pad_token_id"`
}

// bartEps is torch.nn.LayerNorm's default, which the families do not configure.
const bartEps = 1e-5

// bartLike follows modeling_bart.py of transformers: Lewis et al. 2020.
func bartLike(kind bartKind) func(Source) (Network, error) {
	return func(s Source) (Network, error) {
		c := bartConfig{Act: "gelu", Pad: 1}
		if err := decode(s.Config, &c); err != nil {
			return nil, err
		}
		for _, z := range []sizes{{c.Vocab, c.Hidden, c.Layers, c.Heads, c.Heads, c.Inner, c.Positions, bartEps},
			{c.Vocab, c.Hidden, c.DecoderLayers, c.DecoderHeads, c.DecoderHeads, c.DecoderInner, c.Positions, bartEps}} {
			if err := z.check(); err != nil {
				return nil, err
			}
			if c.Hidden%z.heads != 0 || c.Hidden < 4 || c.Hidden%2 != 0 || c.Pad < 0 || c.Pad > c.Vocab || c.Positions > 1<<17 {
				return nil, fmt.Errorf("family: %w: d_model %d, %d heads, %d positions, pad %d", ErrConfig, c.Hidden, z.heads, c.Positions, c.Pad)
			}
		}
		if c.Shared != nil && !*c.Shared || c.DecoderVocab != nil && *c.DecoderVocab != c.Vocab {
			return nil, fmt.Errorf("family: %s with separate vocabularies: %w", kind.name, ErrUnsupported)
		}
		if err := headed(kind.name, c.Architectures, kind.architecture); err != nil {
			return nil, err
		}
		return c.load(s, kind)
	}
}

func (c *bartConfig) load(s Source, kind bartKind) (Network, error) {
	act, err := activation(kind.name, c.Act)
	if err != nil {
		return nil, err
	}
	l := nn.NewLoader(s.Weights, "shared.weight", "model.", "")
	n := &seq2seq{scale: 1}
	words := table(l, "shared", c.Vocab, c.Hidden, true)
	if l.Err() == nil {
		n.encoder = c.stack(l, kind, "encoder", c.Layers, c.Heads, c.Inner, words, act)
		n.decoder = c.stack(l, kind, "decoder", c.DecoderLayers, c.DecoderHeads, c.DecoderInner, words, act)
	}
	n.head = headOf(l, "lm_head", words)
	if kind.biased {
		n.head.Bias = l.Tensor("final_logits_bias", 1, c.Vocab)
	}
	if l.Err() != nil {
		return nil, l.Err()
	}
	return n, n.describe(s, Description{Family: kind.name, Architecture: one(c.Architectures, kind.architecture), Hidden: c.Hidden,
		MaxTokens: c.Positions, MaxDecoder: c.Positions, Vocab: c.Vocab}, kind.task)
}

func (c *bartConfig) stack(l *nn.Loader, kind bartKind, side string, layers, heads, inner int, words *op.Table, act *op.Act) stack {
	decoder, d := side == "decoder", c.Hidden
	s := stack{words: words, scale: 1, scaled: kind.scaled, taps: encoderTaps("model.encoder.layers.")}
	if decoder {
		s.taps = decoderTaps("model.decoder.layers.")
	}
	if c.Scale {
		s.scale = float32(math.Sqrt(float64(d)))
	}
	if kind.positions != nil {
		s.positions = kind.positions(c)
	} else if learned := l.Tensor(side+".embed_positions.weight", c.Positions+2, d); l.Err() == nil {
		s.positions = &op.Positions{Table: op.Table{Rows: c.Positions, D: d, Data: learned[2*d:]}}
	}
	normed := func(name string) norm { return norm{layer: l.Norm(side+"."+name, d, bartEps)} }
	if kind.post && !kind.bare {
		s.first = normed("layernorm_embedding")
	}
	attend := func(p string) attention {
		p = side + "." + p
		return attention{q: l.Linear(p+".q_proj", d, d), k: l.Linear(p+".k_proj", d, d), v: l.Linear(p+".v_proj", d, d), o: l.Linear(p+".out_proj", d, d),
			heads: heads, kv: heads, width: d / heads, scale: float32(1 / math.Sqrt(float64(d/heads)))}
	}
	for i := 0; i < layers && l.Err() == nil; i++ {
		p := "layers." + strconv.Itoa(i) + "."
		y := layer{post: kind.post, self: attend(p + "self_attn"), selfNorm: normed(p + "self_attn_layer_norm"), mlpNorm: normed(p + "final_layer_norm"),
			mlp: mlp{up: l.Linear(side+"."+p+"fc1", d, inner), down: l.Linear(side+"."+p+"fc2", inner, d), act: act}}
		y.self.causal = decoder
		if decoder {
			cross := attend(p + "encoder_attn")
			y.cross, y.crossNorm = &cross, normed(p+"encoder_attn_layer_norm")
		}
		s.layers = append(s.layers, y)
	}
	if !kind.post {
		s.last = normed("layer_norm")
	}
	return s
}
