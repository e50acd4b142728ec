package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// MaxPool is a max pooling over channels-last images; of equal values the first in row-major order wins, as in PyTorch.
type MaxPool struct{ Kernel, Stride, Pad int }

func (a *MaxPool) geometry(s []int) kernel.Pool {
	return kernel.Pool{N: s[0], H: s[1], W: s[2], C: s[3], KH: a.Kernel, KW: a.Kernel, StrideH: a.Stride, StrideW: a.Stride,
		PadTop: a.Pad, PadLeft: a.Pad, PadBottom: a.Pad, PadRight: a.Pad}
}

func init() {
	graph.Register(&graph.Op{
		Name: "max_pool",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, s := attrs.(*MaxPool), in[0]
			if len(s) != 4 || s[1]+2*a.Pad < a.Kernel || s[2]+2*a.Pad < a.Kernel {
				return nil, fmt.Errorf("operand %v is smaller than the window %d", s, a.Kernel)
			}
			out := func(n int) int { return (n+2*a.Pad-a.Kernel)/a.Stride + 1 }
			return []int{s[0], out(s[1]), out(s[2]), s[3]}, nil
		},
		Run: func(c *graph.Call) {
			kernel.MaxPool2D(c.Threads, c.Attrs.(*MaxPool).geometry(c.In[0].Shape), c.In[0].F, c.Out, nil)
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			return []graph.ID{t.G.Add("max_pool_grad", node.Attrs, "", dy, node.In[0])}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &MaxPool{3, 2, 1}, In: [][]int{{2, 5, 6, 2}}, Away: 0.02}}
		},
	})
	// max_pool_grad (dy, x) finds the maxima anew.
	graph.Register(&graph.Op{
		Name:  "max_pool_grad",
		Shape: func(_ any, in [][]int) ([]int, error) { return in[1], nil },
		Run: func(c *graph.Call) {
			p := c.Attrs.(*MaxPool).geometry(c.Shape)
			y := scratch(len(c.In[0].F))
			defer release(y)
			index := make([]int32, len(c.In[0].F))
			kernel.MaxPool2D(c.Threads, p, c.In[1].F, *y, index)
			kernel.MaxPool2DBackward(c.Threads, p, c.In[0].F, index, c.Out)
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &MaxPool{3, 2, 1}, In: [][]int{{2, 3, 3, 2}, {2, 5, 6, 2}}, Away: 0.02}}
		},
	})
}
