package family

import (
	"fmt"
	"strconv"

	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// bert follows modeling_bert.py of transformers: Devlin et al. 2018, post-norm layers, learned absolute positions.
type bert struct {
	d         Description
	words     *op.Table
	types     *op.Table
	positions *op.Positions
	norm      *op.LayerNorm
	layers    []bertLayer
	head      head
}

type bertLayer struct {
	attention         nn.SelfAttention
	attnNorm, outNorm *op.LayerNorm
	mlp               nn.MLP
}

type bertConfig struct {
	Architectures []string          `json:"architectures"`
	Vocab         int               `json:"vocab_size"`
	Hidden        int               `json:"hidden_size"`
	Layers        int               `json:"num_hidden_layers"`
	Heads         int               `json:"num_attention_heads"`
	Intermediate  int               `json:"intermediate_size"`
	Act           string            `json:"hidden_act"`
	MaxPositions  int               `json:"max_position_embeddings"`
	Types         int               `json:"type_vocab_size"`
	Eps           *float64          `json:"layer_norm_eps"`
	ID2Label      map[string]string `json:"id2label"`
	NumLabels     int               `json:"num_labels"`
	ProblemType   string            `json:"problem_type"`
	Positions     string            `json:"position_embedding_type"`
	Decoder       bool              `json:"is_decoder"`
	Tie           *bool             `json:"tie_word_embeddings"`
}

func init() { register(Family{Name: "bert", Load: loadBert}) }

func (c *bertConfig) check() error {
	for _, r := range []struct {
		name      string
		v, lo, hi int
	}{
		{"vocab_size", c.Vocab, 1, 4 << 20}, {"hidden_size", c.Hidden, 1, 1 << 15}, {"num_hidden_layers", c.Layers, 1, 512},
		{"num_attention_heads", c.Heads, 1, c.Hidden}, {"intermediate_size", c.Intermediate, 1, 1 << 18},
		{"max_position_embeddings", c.MaxPositions, 3, 1 << 17}, {"type_vocab_size", c.Types, 1, 1 << 16},
	} {
		if err := inRange(r.name, r.v, r.lo, r.hi); err != nil {
			return err
		}
	}
	if e := c.Eps; e != nil && !(*e > 0 && *e < 1) {
		return fmt.Errorf("family: %w: layer_norm_eps is %g, expected a small positive number", ErrConfig, *e)
	}
	if c.Hidden%c.Heads != 0 {
		return fmt.Errorf("family: %w: hidden_size %d does not divide into %d heads", ErrConfig, c.Hidden, c.Heads)
	}
	if c.Positions != "" && c.Positions != "absolute" {
		return fmt.Errorf("family: bert with position_embedding_type %.40q: %w", c.Positions, ErrUnsupported)
	}
	if c.Decoder {
		return fmt.Errorf("family: bert as a decoder (is_decoder): %w", ErrUnsupported)
	}
	return nil
}

func loadBert(s Source) (Network, error) {
	c := bertConfig{Act: "gelu", Types: 2}
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	act, err := op.FindAct(c.Act)
	if err != nil {
		return nil, fmt.Errorf("family: bert: %w: %w", err, ErrUnsupported)
	}
	eps := 1e-12
	if c.Eps != nil {
		eps = *c.Eps
	}
	l := nn.NewLoader(s.Weights, "embeddings.word_embeddings.weight", "bert.", "")
	l.Rename(".weight", ".gamma")
	l.Rename(".bias", ".beta")
	const e = "embeddings."
	n := &bert{
		words:     &op.Table{Rows: c.Vocab, D: c.Hidden, Data: l.Tensor(e+"word_embeddings.weight", c.Vocab, c.Hidden)},
		types:     &op.Table{Rows: c.Types, D: c.Hidden, Data: l.Tensor(e+"token_type_embeddings.weight", c.Types, c.Hidden)},
		positions: &op.Positions{Table: op.Table{Rows: c.MaxPositions, D: c.Hidden, Data: l.Tensor(e+"position_embeddings.weight", c.MaxPositions, c.Hidden)}},
		norm:      l.Norm(e+"LayerNorm", c.Hidden, eps),
	}
	for i := 0; i < c.Layers && l.Err() == nil; i++ {
		p := "encoder.layer." + strconv.Itoa(i) + "."
		a := p + "attention."
		n.layers = append(n.layers, bertLayer{
			attention: nn.SelfAttention{Heads: c.Heads, Q: l.Linear(a+"self.query", c.Hidden, c.Hidden), K: l.Linear(a+"self.key", c.Hidden, c.Hidden),
				V: l.Linear(a+"self.value", c.Hidden, c.Hidden), O: l.Linear(a+"output.dense", c.Hidden, c.Hidden)},
			attnNorm: l.Norm(a+"output.LayerNorm", c.Hidden, eps),
			mlp:      nn.MLP{Up: l.Linear(p+"intermediate.dense", c.Hidden, c.Intermediate), Down: l.Linear(p+"output.dense", c.Intermediate, c.Hidden), Act: act},
			outNorm:  l.Norm(p+"output.LayerNorm", c.Hidden, eps),
		})
	}
	n.d = c.describe()
	if l.Err() == nil {
		if n.head, err = bertHead(s, &c, l, n, act, eps); err != nil {
			return nil, err
		}
	}
	return n, l.Err()
}

func (c *bertConfig) describe() Description {
	d := Description{Family: "bert", Architecture: one(c.Architectures, "BertModel"), Modality: "text",
		Layers: c.Layers, Heads: c.Heads, Hidden: c.Hidden, MaxTokens: c.MaxPositions, Vocab: c.Vocab, Types: c.Types,
		MultiLabel: independent(c.ProblemType, max(c.NumLabels, len(c.ID2Label)))}
	d.Taps.Embeddings = "embeddings.word_embeddings"
	for i := range c.Layers + 1 {
		d.Taps.Hidden = append(d.Taps.Hidden, "hidden_states."+strconv.Itoa(i))
		if i < c.Layers {
			d.Taps.Attentions = append(d.Taps.Attentions, "attentions."+strconv.Itoa(i))
		}
	}
	return d
}

func (n *bert) Describe() Description { return n.d }

// Build makes the encoder and its head.
func (n *bert) Build(s Shape, lean bool) (*Built, error) {
	if s.T > n.d.MaxTokens {
		return nil, fmt.Errorf("family: %d tokens, the model takes %d: %w", s.T, n.d.MaxTokens, ErrUnsupported)
	}
	g := graph.New()
	// alias gives a value its checkpoint name, with and without the family's prefix.
	alias := func(id graph.ID, names ...string) {
		for _, name := range names {
			g.Alias(name, id)
			g.Alias("bert."+name, id)
		}
	}
	ids := g.IntInput(FeedIDs, s.B, s.T)
	types := g.IntInput(FeedTypes, s.B, s.T)
	words := g.Add("embedding", n.words, "", ids)
	alias(words, "embeddings.word_embeddings")
	g.Alias("embeddings.word", words)
	sum := g.Add("add", nil, "", words, g.Add("embedding", n.types, "", types))
	sum = g.Add("positions", n.positions, "embeddings.sum", sum)
	x := g.Add("layer_norm", n.norm, "hidden_states.0", sum)
	alias(x, "embeddings")
	row, oneRow := n.head.row()
	lean = lean && oneRow
	aside := map[graph.ID]bool{}
	for i, l := range n.layers {
		if lean && i == len(n.layers)-1 {
			x = l.last(g, i, x, row)
			maps, _ := g.Find("attentions." + strconv.Itoa(i))
			aside[maps] = true
			break
		}
		x = l.add(g, i, x, alias)
	}
	out, err := n.head.add(g, x, lean)
	if err != nil {
		return nil, err
	}
	g.Alias("logits", out)
	return &Built{G: g, Output: out, Words: words, Aside: aside}, g.Err()
}

// add appends layer i over all rows.
func (l bertLayer) add(g *graph.Graph, i int, x graph.ID, alias func(graph.ID, ...string)) graph.ID {
	k := strconv.Itoa(i)
	p := "encoder.layer." + k
	a := l.attention.Add(g, nn.AttentionTaps{Query: p + ".attention.self.query", Key: p + ".attention.self.key", Value: p + ".attention.self.value",
		Probs: "attentions." + k, Context: p + ".attention.context"}, x, x)
	probs, _ := g.Find("attentions." + k)
	alias(probs, p+".attention.probs")
	h := g.Add("layer_norm", l.attnNorm, "", g.Add("add", nil, "", a, x))
	alias(h, p+".attention.output", p+".attention")
	y := l.mlp.Add(g, p+".intermediate", h)
	y = g.Add("layer_norm", l.outNorm, "hidden_states."+strconv.Itoa(i+1), g.Add("add", nil, "", y, h))
	alias(y, p+".output", p)
	return y
}

// last appends the last layer for the one row that the head reads: (B,T,D) -> (B,1,D). Rows do not influence each
// other beyond the attention's keys and values, so the bits are those of the full layer; the row is sliced twice, for the
// queries before and for the sum after the attention, so that gradients are added up in the full layer's order as well.
func (l bertLayer) last(g *graph.Graph, i int, x graph.ID, row int) graph.ID {
	slice := func() graph.ID { return g.Add("slice_row", &op.Row{Index: row}, "", x) }
	a := l.attention.Add(g, nn.AttentionTaps{Maps: "attentions." + strconv.Itoa(i)}, slice(), x)
	h := g.Add("layer_norm", l.attnNorm, "", g.Add("add", nil, "", a, slice()))
	y := l.mlp.Add(g, "", h)
	return g.Add("layer_norm", l.outNorm, "", g.Add("add", nil, "", y, h))
}
