package op

import (
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Unfolded is a convolution as it was published, of which Folded is the one with a normalisation in its weights. Filter packs
// the published weights on first use.
type Unfolded struct {
	Folded *Conv
	Filter func() *kernel.Filter
}

// unfolded computes what Folded's normalisation would be given: a value to look at, which nothing goes on with. It has no
// reverse rule.
func init() {
	conv := graph.Lookup("conv")
	graph.Register(&graph.Op{
		Name:  "unfolded",
		Shape: func(attrs any, in [][]int) ([]int, error) { return conv.Shape(attrs.(*Unfolded).Folded, in) },
		Run: func(c *graph.Call) {
			a := c.Attrs.(*Unfolded)
			(&Conv{Filter: a.Filter(), Stride: a.Folded.Stride, Pad: a.Folded.Pad}).run(c, kernel.Epilogue{})
		},
		Samples: func(r *rand.Rand) []graph.Sample {
			folded := &Conv{Filter: sampleFilter(5, 3, 3), Stride: 2, Pad: 1, Bias: random(r, 5)}
			f := func() *kernel.Filter { return sampleFilter(5, 3, 3) }
			return []graph.Sample{{Attrs: &Unfolded{folded, f}, In: [][]int{{2, 6, 5, 3}}}}
		},
	})
}
