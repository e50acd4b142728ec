package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Count is the number of positions a mean runs over; mean_grad needs it.
type Count struct{ Shape []int }

// mean (B,...,D) -> (B,D): the mean over all positions; mean_grad (B,D) -> (B,...,D) spreads dy evenly.
func init() {
	graph.Register(&graph.Op{
		Name: "mean",
		Shape: func(_ any, in [][]int) ([]int, error) {
			s := in[0]
			if len(s) < 3 {
				return nil, fmt.Errorf("operand %v has no positions", s)
			}
			return []int{s[0], s[len(s)-1]}, nil
		},
		Run: func(c *graph.Call) {
			n, d := c.Shape[0], c.Shape[1]
			kernel.GlobalAvgPool(c.Threads, n, len(c.In[0].F)/(n*d), d, c.In[0].F, c.Out)
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("mean_grad", &Count{t.G.Shape(t.G.Nodes[n].In[0])}, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 5, 3}}}, {In: [][]int{{2, 3, 7, 5}}}}
		},
	})
	graph.Register(&graph.Op{
		Name:  "mean_grad",
		Shape: func(attrs any, _ [][]int) ([]int, error) { return attrs.(*Count).Shape, nil },
		Run: func(c *graph.Call) {
			n, d := c.In[0].Shape[0], c.In[0].Shape[1]
			kernel.GlobalAvgPoolBackward(c.Threads, n, len(c.Out)/(n*d), d, c.In[0].F, c.Out)
		},
		VJP: nil,
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Count{[]int{2, 5, 3}}, In: [][]int{{2, 3}}}}
		},
	})
}
