package op

import (
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// SoftCap keeps values within ±Cap: Cap·tanh(x·Scale/Cap), as Gemma 2 does to attention scores and logits.
type SoftCap struct{ Scale, Cap float32 }

// apply caps values in place.
func (a *SoftCap) apply(x []float32) {
	kernel.Scale(x, x, a.Scale/a.Cap)
	kernel.Tanh(x, x)
	kernel.Scale(x, x, a.Cap)
}

func init() {
	graph.Register(&graph.Op{
		Name:    "soft_cap",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			overElements(c, len(c.Out), func(lo, hi int) {
				copy(c.Out[lo:hi], c.In[0].F[lo:hi])
				c.Attrs.(*SoftCap).apply(c.Out[lo:hi])
			})
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("soft_cap_grad", t.G.Nodes[n].Attrs, "", dy, n)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &SoftCap{0.5, 3}, In: [][]int{{3, 7}}}}
		},
	})
	// soft_cap_grad (dy, y): dy·Scale·(1-(y/Cap)²).
	graph.Register(&graph.Op{
		Name:    "soft_cap_grad",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*SoftCap)
			overElements(c, len(c.Out), func(lo, hi int) {
				s := scratch(hi - lo)
				defer release(s)
				kernel.Scale(*s, c.In[1].F[lo:hi], 1/a.Cap)
				kernel.TanhGrad(c.Out[lo:hi], c.In[0].F[lo:hi], *s)
				kernel.Scale(c.Out[lo:hi], c.Out[lo:hi], a.Scale)
			})
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &SoftCap{0.5, 3}, In: [][]int{{3, 7}, {3, 7}}}}
		},
	})
}
