package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Conv is a convolution over channels-last images, y = act(conv(x) + bias [+ residual]).
type Conv struct {
	Filter      *kernel.Filter
	Stride, Pad int
	Bias        []float32
	Act         *Act // nil for none
}

func (a *Conv) geometry(s []int) kernel.Conv {
	return kernel.Conv{N: s[0], H: s[1], W: s[2], C: s[3], O: a.Filter.O, KH: a.Filter.KH, KW: a.Filter.KW,
		StrideH: a.Stride, StrideW: a.Stride, PadTop: a.Pad, PadLeft: a.Pad, PadBottom: a.Pad, PadRight: a.Pad,
		Groups: a.Filter.Groups}
}

// work is the number of multiply-adds for one image.
func (a *Conv) work(g kernel.Conv) int {
	return g.OutH() * g.OutW() * g.O * g.KH * g.KW * a.Filter.I
}

// run computes some images at a time, of large ones some rows at a time.
func (a *Conv) run(c *graph.Call, ep kernel.Epilogue) {
	g := a.geometry(c.In[0].Shape)
	x, residual := c.In[0].F, ep.Residual
	in, out, height, row := len(x)/g.N, len(c.Out)/g.N, g.OutH(), g.OutW()*g.O
	part := func(g kernel.Conv, first, at int) {
		if residual != nil {
			ep.Residual = residual[at:]
		}
		kernel.Conv2D(c.Threads, g, x[first:], a.Filter, c.Out[at:], ep)
	}
	if g.N > 1 {
		slabs(c, g.N, 1, a.work(g), func(lo, hi int) {
			g.N = hi - lo
			part(g, lo*in, lo*out)
		})
		return
	}
	slabs(c, height, 1, a.work(g)/height, func(lo, hi int) {
		top, bottom := lo*a.Stride-a.Pad, (hi-1)*a.Stride-a.Pad+g.KH // input rows that the band sees
		first, last := max(0, top), min(g.H, bottom)
		band := g
		band.H, band.PadTop, band.PadBottom = last-first, first-top, bottom-last
		part(band, first*g.W*g.C, lo*row)
	})
}

// ConvGrad is the shape conv_grad writes.
type ConvGrad struct {
	Conv  *Conv
	Shape []int
}

func init() {
	graph.Register(&graph.Op{
		Name: "conv",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, s := attrs.(*Conv), in[0]
			if len(s) != 4 || s[3] != a.Filter.I*a.Filter.Groups {
				return nil, fmt.Errorf("operand %v, the filter takes %d channels", s, a.Filter.I*a.Filter.Groups)
			}
			g := a.geometry(s)
			out := []int{s[0], g.OutH(), g.OutW(), g.O}
			if s[1]+2*a.Pad < g.KH || s[2]+2*a.Pad < g.KW {
				return nil, fmt.Errorf("image %d×%d is smaller than the filter", s[1], s[2])
			}
			if len(in) > 1 && !equal(in[1], out) {
				return nil, fmt.Errorf("residual %v does not fit the result %v", in[1], out)
			}
			return out, nil
		},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*Conv)
			ep := kernel.Epilogue{Bias: a.Bias}
			if len(c.In) > 1 {
				ep.Residual = c.In[1].F
			}
			if a.Act != nil {
				ep.Act = a.Act.kernel
			}
			a.run(c, ep)
		},
		VJP: convVJP,
		Samples: func(r *rand.Rand) []graph.Sample {
			f := sampleFilter(5, 3, 3)
			one := sampleFilter(4, 3, 1)
			return []graph.Sample{
				{Attrs: &Conv{Filter: f, Stride: 1, Pad: 1, Bias: random(r, 5)}, In: [][]int{{2, 5, 6, 3}}},
				{Attrs: &Conv{Filter: f, Stride: 2, Pad: 1}, In: [][]int{{1, 6, 5, 3}, {1, 3, 3, 5}}},
				{Attrs: &Conv{Filter: one, Stride: 2}, In: [][]int{{2, 5, 5, 3}}},
			}
		},
	})
	graph.Register(&graph.Op{
		Name:  "conv_grad",
		Kept:  func(attrs any) int64 { return attrs.(*ConvGrad).Conv.Filter.Unpacked() },
		Rows:  true,
		Shape: func(attrs any, _ [][]int) ([]int, error) { return attrs.(*ConvGrad).Shape, nil },
		Run: func(c *graph.Call) {
			a := c.Attrs.(*ConvGrad).Conv
			g := a.geometry(c.Shape)
			in, out := len(c.In[0].F)/g.N, len(c.Out)/g.N
			slabs(c, g.N, 1, a.work(g), func(lo, hi int) {
				g.N = hi - lo
				kernel.Conv2DBackwardInput(c.Threads, g, c.In[0].F[lo*in:], a.Filter, c.Out[lo*out:])
			})
		},
		Samples: func(r *rand.Rand) []graph.Sample {
			f := sampleFilter(5, 3, 3)
			a := &ConvGrad{&Conv{Filter: f, Stride: 2, Pad: 1}, []int{2, 6, 5, 3}}
			return []graph.Sample{{Attrs: a, In: [][]int{{2, 3, 3, 5}}}}
		},
	})
	graph.RegisterFusion("conv+act", fuseConvAct)
	graph.RegisterFusion("conv+residual", fuseConvResidual)
}

// sampleFilter makes a random k×k filter; its weights depend on its size only, so that a test can make them again.
func sampleFilter(o, i, k int) *kernel.Filter {
	return kernel.PackConv(sampleWeights(o, i, k), o, i, k, k, 1)
}

func sampleWeights(o, i, k int) []float32 {
	return random(rand.New(rand.NewPCG(uint64(o), uint64(k))), o*i*k*k)
}

func convVJP(t *graph.Tape, n, dy graph.ID) []graph.ID {
	node := t.G.Nodes[n]
	a := node.Attrs.(*Conv)
	if a.Act != nil {
		panic("op: convolution with a fused activation has no reverse rule")
	}
	dx := t.G.Add("conv_grad", &ConvGrad{a, t.G.Shape(node.In[0])}, "", dy)
	return []graph.ID{dx, dy}[:len(node.In)]
}

func fuseConvAct(g *graph.Graph, id graph.ID, free func(graph.ID) bool) bool {
	n := g.Nodes[id]
	if n.Op.Name != "act" || n.Attrs.(*Act).kernel == kernel.ActNone {
		return false
	}
	p := g.Nodes[n.In[0]]
	if p.Op.Name != "conv" || p.Attrs.(*Conv).Act != nil || !free(n.In[0]) {
		return false
	}
	a := *p.Attrs.(*Conv)
	a.Act = n.Attrs.(*Act)
	g.Rewrite(id, "conv", &a, p.In...)
	return true
}

func fuseConvResidual(g *graph.Graph, id graph.ID, free func(graph.ID) bool) bool {
	n := g.Nodes[id]
	if n.Op.Name != "add" {
		return false
	}
	for j, pid := range n.In {
		p := g.Nodes[pid]
		if p.Op.Name == "conv" && p.Attrs.(*Conv).Act == nil && len(p.In) == 1 && free(pid) && n.In[1-j] != pid {
			g.Rewrite(id, "conv", p.Attrs, p.In[0], n.In[1-j])
			return true
		}
	}
	return false
}
