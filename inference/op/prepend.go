package op

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"vitrine/inference/graph"
)

// FirstRow is a learned token that stands before all others (the class token of a vision transformer).
type FirstRow struct{ Data []float32 }

// prepend_row (B,T,D) -> (B,T+1,D) puts the learned row first; drop_row (B,T,D) -> (B,T-1,D), its reverse rule, leaves
// the first row out.
func init() {
	graph.Register(&graph.Op{
		Name: "prepend_row",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s := in[0]
			if err := rank(s, 3); err != nil {
				return nil, err
			}
			if n := len(attrs.(*FirstRow).Data); n != s[2] {
				return nil, fmt.Errorf("operand %v, the first row has %d values", s, n)
			}
			return []int{s[0], s[1] + 1, s[2]}, nil
		},
		Run: func(c *graph.Call) {
			first := c.Attrs.(*FirstRow).Data
			n := c.Shape[1] * c.Shape[2]
			for b := range c.Shape[0] {
				out := c.Out[b*n : (b+1)*n]
				rest := n - copy(out, first)
				copy(out[len(first):], c.In[0].F[b*rest:(b+1)*rest])
			}
		},
		VJP: func(t *graph.Tape, _, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("drop_row", nil, "", dy)}
		},
		Samples: func(r *rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &FirstRow{random(r, 4)}, In: [][]int{{2, 3, 4}}}}
		},
	})
	graph.Register(&graph.Op{
		Name: "drop_row",
		Shape: func(_ any, in [][]int) ([]int, error) {
			s := slices.Clone(in[0])
			if len(s) != 3 || s[1] < 2 {
				return nil, fmt.Errorf("operand %v has no second row", s)
			}
			s[1]--
			return s, nil
		},
		Run: func(c *graph.Call) {
			n, d := c.Shape[1]*c.Shape[2], c.Shape[2]
			for b := range c.Shape[0] {
				copy(c.Out[b*n:(b+1)*n], c.In[0].F[b*(n+d)+d:][:n])
			}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 3, 4}}}}
		},
	})
}
