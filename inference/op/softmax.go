package op

import (
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Softmax is softmax(Scale·x) over the last dimension.
type Softmax struct{ Scale float32 }

func init() {
	graph.Register(&graph.Op{
		Name:    "softmax",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			r, n := rows(c.Shape)
			overRows(c, r, n, func(lo, hi int) {
				kernel.Softmax(c.Threads, hi-lo, n, c.Out[lo*n:], c.In[0].F[lo*n:], c.Attrs.(*Softmax).Scale)
			})
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("softmax_grad", t.G.Nodes[n].Attrs, "", dy, n)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Softmax{1}, In: [][]int{{3, 5}}}, {Attrs: &Softmax{0.25}, In: [][]int{{2, 2, 18}}}}
		},
	})
	// softmax_grad (dy, y): scale · y · (dy - Σ y·dy).
	graph.Register(&graph.Op{
		Name:    "softmax_grad",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			r, n := rows(c.Shape)
			overRows(c, r, n, func(lo, hi int) {
				kernel.SoftmaxBackward(c.Threads, hi-lo, n, c.Out[lo*n:], c.In[0].F[lo*n:], c.In[1].F[lo*n:], c.Attrs.(*Softmax).Scale)
			})
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Softmax{0.5}, In: [][]int{{3, 5}, {3, 5}}}}
		},
	})
	graph.Register(&graph.Op{
		Name:    "log_softmax",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			r, n := rows(c.Shape)
			kernel.LogSoftmax(c.Threads, r, n, c.Out, c.In[0].F)
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("log_softmax_grad", nil, "", dy, n)}
		},
		Samples: func(*rand.Rand) []graph.Sample { return []graph.Sample{{In: [][]int{{3, 5}}}} },
	})
	// log_softmax_grad (dy, y): dy - exp(y) · Σ dy.
	graph.Register(&graph.Op{
		Name:    "log_softmax_grad",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			r, n := rows(c.Shape)
			s := scratch(n)
			defer release(s)
			for i := range r {
				dy, out := c.In[0].F[i*n:(i+1)*n], c.Out[i*n:(i+1)*n]
				kernel.Exp(*s, c.In[1].F[i*n:(i+1)*n])
				kernel.AddScaled(out, dy, *s, -kernel.Sum(dy))
			}
		},
		Samples: func(*rand.Rand) []graph.Sample { return []graph.Sample{{In: [][]int{{3, 5}, {3, 5}}}} },
	})
}
