package op

import (
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// add is a + b, elementwise.
func init() {
	graph.Register(&graph.Op{
		Name:    "add",
		Shape:   sameShape,
		InPlace: []int{0, 1},
		Rows:    true,
		Run: func(c *graph.Call) {
			a, b := c.In[0].F, c.In[1].F
			overElements(c, len(c.Out), func(lo, hi int) { kernel.Add(c.Out[lo:hi], a[lo:hi], b[lo:hi]) })
		},
		VJP: func(_ *graph.Tape, _, dy graph.ID) []graph.ID { return []graph.ID{dy, dy} },
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 3, 5}, {2, 3, 5}}}}
		},
	})
}
