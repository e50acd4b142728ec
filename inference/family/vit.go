package family

import (
	"fmt"
	"strconv"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// vit follows modeling_vit.py of transformers: Dosovitskiy et al. 2020. Patches of the picture are tokens behind a
// learned class token; pre-norm layers; the classifier reads the class token.
type vit struct {
	d          Description
	size       int
	patch      *op.Conv
	class      *op.FirstRow
	positions  *op.Positions
	layers     []vitLayer
	norm       *op.LayerNorm
	classifier nn.Linear
}

type vitLayer struct {
	before, after *op.LayerNorm
	attention     nn.SelfAttention
	mlp           nn.MLP
}

type vitConfig struct {
	Architectures []string          `json:"architectures"`
	Hidden        int               `json:"hidden_size"`
	Layers        int               `json:"num_hidden_layers"`
	Heads         int               `json:"num_attention_heads"`
	Intermediate  int               `json:"intermediate_size"`
	Act           string            `json:"hidden_act"`
	Eps           *float64          `json:"layer_norm_eps"`
	Size          int               `json:"image_size"`
	Patch         int               `json:"patch_size"`
	Channels      int               `json:"num_channels"`
	Bias          *bool             `json:"qkv_bias"`
	ID2Label      map[string]string `json:"id2label"`
	NumLabels     int               `json:"num_labels"`
	ProblemType   string            `json:"problem_type"`
}

func init() { register(Family{Name: "vit", Load: loadViT}) }

func (c *vitConfig) check() error {
	for _, r := range []struct {
		name      string
		v, lo, hi int
	}{
		{"hidden_size", c.Hidden, 1, 1 << 15}, {"num_hidden_layers", c.Layers, 1, 512}, {"num_attention_heads", c.Heads, 1, c.Hidden},
		{"intermediate_size", c.Intermediate, 1, 1 << 18}, {"image_size", c.Size, 1, 1 << 12}, {"patch_size", c.Patch, 1, c.Size},
	} {
		if err := inRange(r.name, r.v, r.lo, r.hi); err != nil {
			return err
		}
	}
	if c.Channels != 1 && c.Channels != 3 {
		return fmt.Errorf("family: vit with %d image channels: %w; 1 and 3 are read", c.Channels, ErrUnsupported)
	}
	if e := c.Eps; e != nil && !(*e > 0 && *e < 1) {
		return fmt.Errorf("family: %w: layer_norm_eps is %g, expected a small positive number", ErrConfig, *e)
	}
	if c.Hidden%c.Heads != 0 {
		return fmt.Errorf("family: %w: hidden_size %d does not divide into %d heads", ErrConfig, c.Hidden, c.Heads)
	}
	if c.Bias != nil && !*c.Bias {
		return fmt.Errorf("family: vit without qkv_bias: %w", ErrUnsupported)
	}
	return nil
}

func loadViT(s Source) (Network, error) {
	c := vitConfig{Hidden: 768, Layers: 12, Heads: 12, Intermediate: 3072, Act: "gelu", Size: 224, Patch: 16, Channels: 3}
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	act, err := op.FindAct(c.Act)
	if err != nil {
		return nil, fmt.Errorf("family: vit: %w: %w", err, ErrUnsupported)
	}
	eps := 1e-12
	if c.Eps != nil {
		eps = *c.Eps
	}
	l := nn.NewLoader(s.Weights, "embeddings.cls_token", "vit.", "")
	const p = "embeddings.patch_embeddings.projection"
	side := c.Size / c.Patch
	n := &vit{size: c.Size, class: &op.FirstRow{Data: l.Tensor("embeddings.cls_token", 1, 1, c.Hidden)}, norm: l.Norm("layernorm", c.Hidden, eps),
		positions: &op.Positions{Table: op.Table{Rows: side*side + 1, D: c.Hidden, Data: l.Tensor("embeddings.position_embeddings", 1, side*side+1, c.Hidden)}}}
	if w := l.Tensor(p+".weight", c.Hidden, c.Channels, c.Patch, c.Patch); w != nil {
		n.patch = &op.Conv{Filter: kernel.PackConv(w, c.Hidden, c.Channels, c.Patch, c.Patch, 1), Stride: c.Patch, Bias: l.Tensor(p+".bias", c.Hidden)}
	}
	for i := 0; i < c.Layers && l.Err() == nil; i++ {
		n.layers = append(n.layers, c.layer(l, "encoder.layer."+strconv.Itoa(i)+".", act, eps))
	}
	if err := n.describe(&c); err != nil {
		return nil, err
	}
	n.classifier = l.Linear("classifier", c.Hidden, len(n.d.Labels))
	return n, l.Err()
}

func (c *vitConfig) layer(l *nn.Loader, p string, act *op.Act, eps float64) vitLayer {
	a := p + "attention."
	return vitLayer{
		before: l.Norm(p+"layernorm_before", c.Hidden, eps),
		after:  l.Norm(p+"layernorm_after", c.Hidden, eps),
		attention: nn.SelfAttention{Heads: c.Heads, Q: l.Linear(a+"attention.query", c.Hidden, c.Hidden), K: l.Linear(a+"attention.key", c.Hidden, c.Hidden),
			V: l.Linear(a+"attention.value", c.Hidden, c.Hidden), O: l.Linear(a+"output.dense", c.Hidden, c.Hidden)},
		mlp: nn.MLP{Up: l.Linear(p+"intermediate.dense", c.Hidden, c.Intermediate), Down: l.Linear(p+"output.dense", c.Intermediate, c.Hidden), Act: act},
	}
}

func (n *vit) describe(c *vitConfig) error {
	count := max(c.NumLabels, len(c.ID2Label))
	if count == 0 {
		count = 2
	}
	if err := inRange("number of labels", count, 1, 1<<20); err != nil {
		return err
	}
	names, err := labels(c.ID2Label, count)
	if err != nil {
		return err
	}
	n.d = Description{Family: "vit", Architecture: one(c.Architectures, "ViTModel"), Task: "image-classification", Modality: "image",
		Labels: names, MultiLabel: independent(c.ProblemType, count), Layers: c.Layers, Heads: c.Heads, Hidden: c.Hidden, ImageChannels: c.Channels}
	if n.d.Architecture != "ViTForImageClassification" {
		return fmt.Errorf("family: vit with the head %.60q: %w", n.d.Architecture, ErrUnsupported)
	}
	t := &n.d.Taps
	t.Pixels = "pixels"
	for i := range c.Layers + 1 {
		t.Hidden = append(t.Hidden, "hidden_states."+strconv.Itoa(i))
		if i < c.Layers {
			t.Attentions = append(t.Attentions, "attentions."+strconv.Itoa(i))
			t.Features = append(t.Features, "vit.encoder.layer."+strconv.Itoa(i)+".layernorm_before")
		}
	}
	return nil
}

func (n *vit) Describe() Description { return n.d }

// Build makes the network for images (B,C,H,W) of exactly the config's size: positions are not interpolated.
func (n *vit) Build(s Shape, _ bool) (*Built, error) {
	if s.H != n.size || s.W != n.size {
		return nil, fmt.Errorf("family: a picture of %d×%d, this vit takes %d×%d: %w", s.H, s.W, n.size, n.size, ErrUnsupported)
	}
	g := graph.New()
	px := g.Input(FeedPixels, s.B, s.C, s.H, s.W)
	g.Alias("pixel_values", px)
	x := g.Add("conv", n.patch, "", g.Add("transpose", &op.Transpose{Split: 1}, "", px))
	grid := g.Shape(x)
	if len(grid) == 4 {
		x = g.Add("reshape", &op.Reshape{Shape: []int{s.B, grid[1] * grid[2], grid[3]}}, "", x)
	}
	x = g.Add("prepend_row", n.class, "", x)
	x = g.Add("positions", n.positions, "hidden_states.0", x)
	g.Alias("vit.embeddings", x)
	for i, l := range n.layers {
		x = l.add(g, i, x)
	}
	x = g.Add("layer_norm", n.norm, "vit.layernorm", x)
	out := n.classifier.Add(g, "logits", g.Add("select_row", &op.Row{Index: 0}, "", x))
	return &Built{G: g, Output: out, Words: graph.None}, g.Err()
}

func (l vitLayer) add(g *graph.Graph, i int, x graph.ID) graph.ID {
	k := strconv.Itoa(i)
	p := "vit.encoder.layer." + k
	h := g.Add("layer_norm", l.before, p+".layernorm_before", x)
	a := l.attention.Add(g, nn.AttentionTaps{Query: p + ".attention.attention.query", Key: p + ".attention.attention.key",
		Value: p + ".attention.attention.value", Probs: "attentions." + k, Context: p + ".attention.context"}, h, h)
	x = g.Add("add", nil, p+".attention", a, x)
	y := l.mlp.Add(g, p+".intermediate", g.Add("layer_norm", l.after, p+".layernorm_after", x))
	x = g.Add("add", nil, "hidden_states."+strconv.Itoa(i+1), y, x)
	g.Alias(p, x)
	return x
}
