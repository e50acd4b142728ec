package family

import (
	"fmt"
	"strconv"

	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// resnet follows modeling_resnet.py of transformers: He et al. 2015 (v1.5: a bottleneck strides in its 3×3 unless
// downsample_in_bottleneck). Images are channels-last inside.
type resnet struct {
	d          Description
	stem       nn.ConvNorm
	act        *op.Act
	stages     [][]resnetBlock
	classifier nn.Linear
}

// resnetBlock is a chain of convolutions, an optional projection of the shortcut, and a sum.
type resnetBlock struct {
	chain    []nn.ConvNorm
	shortcut *nn.ConvNorm
}

type resnetConfig struct {
	Architectures []string          `json:"architectures"`
	Channels      int               `json:"num_channels"`
	Embedding     int               `json:"embedding_size"`
	Hidden        []int             `json:"hidden_sizes"`
	Depths        []int             `json:"depths"`
	Layer         string            `json:"layer_type"`
	Act           string            `json:"hidden_act"`
	FirstStage    bool              `json:"downsample_in_first_stage"`
	Bottleneck    bool              `json:"downsample_in_bottleneck"`
	ID2Label      map[string]string `json:"id2label"`
	NumLabels     int               `json:"num_labels"`
	ProblemType   string            `json:"problem_type"`
}

func init() { register(Family{Name: "resnet", Load: loadResNet}) }

func (c *resnetConfig) check() error {
	if c.Channels != 1 && c.Channels != 3 {
		return fmt.Errorf("family: resnet with %d image channels: %w; 1 and 3 are read", c.Channels, ErrUnsupported)
	}
	if c.Layer != "basic" && c.Layer != "bottleneck" {
		return fmt.Errorf("family: resnet with layer_type %.40q: %w", c.Layer, ErrUnsupported)
	}
	if len(c.Depths) != len(c.Hidden) {
		return fmt.Errorf("family: %w: %d depths for %d hidden_sizes", ErrConfig, len(c.Depths), len(c.Hidden))
	}
	if err := inRange("number of stages", len(c.Hidden), 1, 16); err != nil {
		return err
	}
	if err := inRange("embedding_size", c.Embedding, 1, 1<<14); err != nil {
		return err
	}
	for i := range c.Hidden {
		if err := inRange("hidden_sizes", c.Hidden[i], 4, 1<<14); err != nil {
			return err
		}
		if err := inRange("depths", c.Depths[i], 1, 512); err != nil {
			return err
		}
	}
	return nil
}

func loadResNet(s Source) (Network, error) {
	c := resnetConfig{Channels: 3, Embedding: 64, Hidden: []int{256, 512, 1024, 2048}, Depths: []int{3, 4, 6, 3}, Layer: "bottleneck", Act: "relu"}
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	act, err := op.FindAct(c.Act)
	if err != nil {
		return nil, fmt.Errorf("family: resnet: %w: %w", err, ErrUnsupported)
	}
	l := nn.NewLoader(s.Weights, "embedder.embedder.convolution.weight", "resnet.", "")
	n := &resnet{act: act, stem: l.ConvNorm("embedder.embedder", c.Channels, c.Embedding, 7, 2)}
	in := c.Embedding
	for i, out := range c.Hidden {
		stride := 2
		if i == 0 && !c.FirstStage {
			stride = 1
		}
		var blocks []resnetBlock
		for j := 0; j < c.Depths[i] && l.Err() == nil; j++ {
			name := fmt.Sprintf("encoder.stages.%d.layers.%d.", i, j)
			blocks = append(blocks, c.block(l, name, in, out, stride))
			in, stride = out, 1
		}
		n.stages = append(n.stages, blocks)
	}
	if err := n.describe(&c, in); err != nil {
		return nil, err
	}
	if n.d.Task == "image-classification" {
		n.classifier = l.Linear("classifier.1", in, len(n.d.Labels))
	}
	return n, l.Err()
}

// block reads one residual block. The shortcut is projected where the shape changes.
func (c *resnetConfig) block(l *nn.Loader, name string, in, out, stride int) resnetBlock {
	var b resnetBlock
	layer := func(k, from, to, size, stride int) {
		b.chain = append(b.chain, l.ConvNorm(name+"layer."+strconv.Itoa(k), from, to, size, stride))
	}
	if c.Layer == "basic" {
		layer(0, in, out, 3, stride)
		layer(1, out, out, 3, 1)
	} else {
		const reduction = 4
		narrow, first, second := out/reduction, 1, stride
		if c.Bottleneck {
			first, second = stride, 1
		}
		layer(0, in, narrow, 1, first)
		layer(1, narrow, narrow, 3, second)
		layer(2, narrow, out, 1, 1)
	}
	if in != out || stride != 1 {
		s := l.ConvNorm(name+"shortcut", in, out, 1, stride)
		b.shortcut = &s
	}
	return b
}

func (n *resnet) describe(c *resnetConfig, width int) error {
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
	n.d = Description{Family: "resnet", Architecture: one(c.Architectures, "ResNetModel"), Task: "image-classification", Modality: "image",
		Labels: names, MultiLabel: independent(c.ProblemType, count), Layers: len(c.Hidden), Hidden: width, ImageChannels: c.Channels}
	if n.d.Architecture != "ResNetForImageClassification" {
		return fmt.Errorf("family: resnet with the head %.60q: %w", n.d.Architecture, ErrUnsupported)
	}
	n.d.Taps.Pixels = "pixels"
	for i := range len(c.Hidden) + 1 {
		tap := "hidden_states." + strconv.Itoa(i)
		n.d.Taps.Hidden = append(n.d.Taps.Hidden, tap)
		n.d.Taps.Features = append(n.d.Taps.Features, tap)
	}
	return nil
}

func (n *resnet) Describe() Description { return n.d }

// Build makes the network for images (B,C,H,W).
func (n *resnet) Build(s Shape, _ bool) (*Built, error) {
	g := graph.New()
	b := &Built{G: g, Words: graph.None, ChannelsLast: map[graph.ID]bool{}, Aside: map[graph.ID]bool{}}
	tap := func(id graph.ID, names ...string) {
		b.ChannelsLast[id] = true
		for _, name := range names {
			g.Alias(name, id)
		}
	}
	conv := func(c nn.ConvNorm, x graph.ID) graph.ID {
		y, before := c.Add(g, x)
		tap(y, "resnet."+c.Name+".normalization")
		tap(before, "resnet."+c.Name+".convolution")
		b.Aside[before] = true
		return y
	}
	px := g.Input(FeedPixels, s.B, s.C, s.H, s.W)
	g.Alias("pixel_values", px)
	x := g.Add("transpose", &op.Transpose{Split: 1}, "", px)
	x = op.AddAct(g, n.act, "", conv(n.stem, x))
	tap(x, "resnet.embedder.embedder")
	x = g.Add("max_pool", &op.MaxPool{Kernel: 3, Stride: 2, Pad: 1}, "", x)
	tap(x, "hidden_states.0", "resnet.embedder")
	for i, blocks := range n.stages {
		p := "resnet.encoder.stages." + strconv.Itoa(i)
		for j, block := range blocks {
			x = block.add(g, n.act, x, conv)
			tap(x, p+".layers."+strconv.Itoa(j))
			b.Layers = append(b.Layers, x)
		}
		tap(x, p, "hidden_states."+strconv.Itoa(i+1))
	}
	tap(x, "feature_map")
	pooled := g.Add("mean", nil, "resnet.pooler", x)
	b.Output = n.classifier.Add(g, "logits", pooled)
	return b, g.Err()
}

func (r resnetBlock) add(g *graph.Graph, act *op.Act, x graph.ID, conv func(nn.ConvNorm, graph.ID) graph.ID) graph.ID {
	y := x
	for i, c := range r.chain {
		y = conv(c, y)
		if i < len(r.chain)-1 {
			y = op.AddAct(g, act, "", y)
		}
	}
	if r.shortcut != nil {
		x = conv(*r.shortcut, x)
	}
	return op.AddAct(g, act, "", g.Add("add", nil, "", y, x))
}
