package family

import (
	"fmt"
	"strconv"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// sequential is a chain of plain layers that config.json lists: linear, conv2d, maxpool2d, flatten and activations,
// as torch.nn defines them. Layer i is the tap "i"; its weights are "i.weight" and "i.bias". A chain that starts with
// a linear layer takes a row of features, which comes as a picture of one channel and one row.
type sequential struct {
	d      Description
	layers []sequentialLayer
	in     int // features of a chain without pictures
}

type sequentialLayer struct {
	kind   string
	linear nn.Linear
	conv   *op.Conv
	pool   *op.MaxPool
	act    *op.Act
}

type sequentialConfig struct {
	Layers []struct {
		Type    string `json:"type"`
		In      int    `json:"in"`
		Out     int    `json:"out"`
		Kernel  int    `json:"kernel"`
		Stride  int    `json:"stride"`
		Padding int    `json:"padding"`
	} `json:"layers"`
	ID2Label map[string]string `json:"id2label"`
}

func init() { register(Family{Name: "sequential", Load: loadSequential}) }

func loadSequential(s Source) (Network, error) {
	var c sequentialConfig
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	if err := inRange("number of layers", len(c.Layers), 1, 1024); err != nil {
		return nil, err
	}
	l := nn.NewLoader(s.Weights, "")
	n := &sequential{}
	for i := range c.Layers {
		layer, err := c.layer(l, i)
		if err != nil {
			return nil, err
		}
		if l.Err() != nil {
			return nil, l.Err()
		}
		n.layers = append(n.layers, layer)
	}
	return n, n.describe(&c)
}

func (c *sequentialConfig) layer(l *nn.Loader, i int) (sequentialLayer, error) {
	k := c.Layers[i]
	name, out := strconv.Itoa(i), sequentialLayer{kind: k.Type}
	check := func(params ...any) error {
		for j := 0; j < len(params); j += 4 {
			if err := inRange("layer "+name+", "+params[j].(string), params[j+1].(int), params[j+2].(int), params[j+3].(int)); err != nil {
				return err
			}
		}
		return nil
	}
	switch k.Type {
	case "linear":
		if err := check("in", k.In, 1, 1<<20, "out", k.Out, 1, 1<<20); err != nil {
			return out, err
		}
		out.linear = l.Linear(name, k.In, k.Out)
	case "conv2d":
		if err := check("in", k.In, 1, 1<<14, "out", k.Out, 1, 1<<14, "kernel", k.Kernel, 1, 64, "stride", k.Stride, 1, 64, "padding", k.Padding, 0, 64); err != nil {
			return out, err
		}
		if w := l.Tensor(name+".weight", k.Out, k.In, k.Kernel, k.Kernel); w != nil {
			out.conv = &op.Conv{Filter: kernel.PackConv(w, k.Out, k.In, k.Kernel, k.Kernel, 1), Stride: k.Stride, Pad: k.Padding, Bias: l.Tensor(name+".bias", k.Out)}
		}
	case "maxpool2d":
		if err := check("kernel", k.Kernel, 1, 64, "stride", k.Stride, 1, 64, "padding", k.Padding, 0, k.Kernel/2); err != nil {
			return out, err
		}
		out.pool = &op.MaxPool{Kernel: k.Kernel, Stride: k.Stride, Pad: k.Padding}
	case "flatten":
	default:
		act, err := op.FindAct(k.Type)
		if err != nil {
			return out, fmt.Errorf("family: layer %s: %w: %w", name, err, ErrUnsupported)
		}
		out.act = act
	}
	return out, nil
}

func (n *sequential) describe(c *sequentialConfig) error {
	first, last := c.Layers[0], c.Layers[len(c.Layers)-1]
	if last.Type != "linear" {
		return fmt.Errorf("family: a chain that ends with %.40q: %w; the last layer must be linear", last.Type, ErrUnsupported)
	}
	names, err := labels(c.ID2Label, last.Out)
	if err != nil {
		return err
	}
	if len(names) != last.Out {
		return fmt.Errorf("family: %w: %d labels for %d outputs", ErrConfig, len(names), last.Out)
	}
	n.d = Description{Family: "sequential", Architecture: "Sequential", Task: "image-classification", Modality: "image", Labels: names, Layers: len(c.Layers)}
	n.d.Taps.Pixels = "pixels"
	switch first.Type {
	case "linear":
		n.in, n.d.ImageChannels, n.d.Hidden = first.In, 1, first.In
		return nil
	case "conv2d":
		n.d.ImageChannels, n.d.Hidden = first.In, first.Out
	default:
		return fmt.Errorf("family: a chain that starts with %.40q: %w; the first layer must be linear or conv2d", first.Type, ErrUnsupported)
	}
	for i, k := range n.layers {
		if k.kind == "flatten" {
			break
		}
		n.d.Taps.Features = append(n.d.Taps.Features, strconv.Itoa(i))
	}
	return nil
}

func (n *sequential) Describe() Description { return n.d }

// Build makes the chain for pictures (B,C,H,W); images are channels-last inside, and flattened channels first.
func (n *sequential) Build(s Shape, _ bool) (*Built, error) {
	g := graph.New()
	b := &Built{G: g, Words: graph.None, ChannelsLast: map[graph.ID]bool{}}
	px := g.Input(FeedPixels, s.B, s.C, s.H, s.W)
	g.Alias("pixel_values", px)
	var x graph.ID
	if n.in > 0 {
		if s.C*s.H*s.W != n.in {
			return nil, fmt.Errorf("family: %d features, the chain takes %d: %w", s.C*s.H*s.W, n.in, ErrUnsupported)
		}
		x = g.Add("reshape", &op.Reshape{Shape: []int{s.B, n.in}}, "", px)
	} else {
		x = g.Add("transpose", &op.Transpose{Split: 1}, "", px)
	}
	for i, l := range n.layers {
		if g.Err() != nil {
			break
		}
		name := strconv.Itoa(i)
		switch {
		case l.act != nil:
			x = op.AddAct(g, l.act, "", x)
		case l.conv != nil:
			x = g.Add("conv", l.conv, "", x)
		case l.pool != nil:
			x = g.Add("max_pool", l.pool, "", x)
		case l.kind == "flatten":
			x = flatten(g, x)
		default:
			x = l.linear.Add(g, "", x)
		}
		g.Alias(name, x)
		b.ChannelsLast[x] = len(g.Shape(x)) == 4
	}
	b.Output = x
	if g.Err() == nil && len(g.Shape(x)) != 2 {
		return nil, fmt.Errorf("family: the chain gives values of shape %v: %w; flatten before the last layers", g.Shape(x)[1:], ErrUnsupported)
	}
	return b, g.Err()
}

// flatten turns (B,H,W,C) into (B,C·H·W), the order that a chain of channels-first layers has.
func flatten(g *graph.Graph, x graph.ID) graph.ID {
	s := g.Shape(x)
	if len(s) != 4 {
		return x
	}
	x = g.Add("transpose", &op.Transpose{Split: 2}, "", x)
	return g.Add("reshape", &op.Reshape{Shape: []int{s[0], s[1] * s[2] * s[3]}}, "", x)
}
