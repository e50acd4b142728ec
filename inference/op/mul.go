package op

import (
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Factor is a constant that scale multiplies by.
type Factor struct{ By float32 }

// mul is a·b, elementwise; scale is x·By.
func init() {
	graph.Register(&graph.Op{
		Name:    "mul",
		Shape:   sameShape,
		InPlace: []int{0, 1},
		Run: func(c *graph.Call) {
			a, b := c.In[0].F, c.In[1].F
			overElements(c, len(c.Out), func(lo, hi int) { kernel.Mul(c.Out[lo:hi], a[lo:hi], b[lo:hi]) })
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			in := t.G.Nodes[n].In
			return []graph.ID{t.G.Add("mul", nil, "", dy, in[1]), t.G.Add("mul", nil, "", dy, in[0])}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 3, 5}, {2, 3, 5}}}}
		},
	})
	graph.Register(&graph.Op{
		Name:    "scale",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			by := c.Attrs.(*Factor).By
			overElements(c, len(c.Out), func(lo, hi int) { kernel.Scale(c.Out[lo:hi], c.In[0].F[lo:hi], by) })
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("scale", t.G.Nodes[n].Attrs, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Factor{1.5}, In: [][]int{{2, 5}}}}
		},
	})
}
