package op

import (
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Transpose tells what the last dimensions are: the op turns (B, X, Y) into (B, Y, X) where X and Y may be several
// dimensions together; Split is the number of dimensions of X.
type Transpose struct{ Split int }

// transpose exchanges two groups of dimensions behind the batch: channels-first to channels-last and back, (B,T,2) to
// (B,2,T).
func init() {
	graph.Register(&graph.Op{
		Name: "transpose",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s, k := in[0], attrs.(*Transpose).Split
			out := append([]int{s[0]}, s[1+k:]...)
			return append(out, s[1:1+k]...), nil
		},
		Run: func(c *graph.Call) {
			s, k := c.In[0].Shape, c.Attrs.(*Transpose).Split
			x, y := graph.Size(s[1:1+k]), graph.Size(s[1+k:])
			for b := range s[0] {
				kernel.Transpose(c.Threads, x, y, c.Out[b*x*y:(b+1)*x*y], c.In[0].F[b*x*y:(b+1)*x*y])
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			k := len(t.G.Shape(node.In[0])) - 1 - node.Attrs.(*Transpose).Split
			return []graph.ID{t.G.Add("transpose", &Transpose{k}, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Transpose{1}, In: [][]int{{2, 3, 4}}}, {Attrs: &Transpose{1}, In: [][]int{{2, 3, 4, 5}}}}
		},
	})
}
