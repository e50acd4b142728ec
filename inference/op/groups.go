package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Group is the number of query heads that share one key-value head (Ainslie et al. 2023).
type Group struct{ Heads int }

// repeat_heads (B,K,T,d) -> (B,K·Heads,T,d) gives each query head of a group the group's head; sum_heads is its reverse rule.
func init() {
	graph.Register(&graph.Op{
		Name: "repeat_heads",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s := in[0]
			if err := rank(s, 4); err != nil {
				return nil, err
			}
			return []int{s[0], s[1] * attrs.(*Group).Heads, s[2], s[3]}, nil
		},
		Run: func(c *graph.Call) {
			g, n := c.Attrs.(*Group).Heads, c.Shape[2]*c.Shape[3]
			for i := range len(c.Out) / n {
				copy(c.Out[i*n:(i+1)*n], c.In[0].F[i/g*n:])
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("sum_heads", t.G.Nodes[n].Attrs, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Group{3}, In: [][]int{{2, 2, 3, 4}}}}
		},
	})
	graph.Register(&graph.Op{
		Name: "sum_heads",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s, g := in[0], attrs.(*Group).Heads
			if len(s) != 4 || s[1]%g != 0 {
				return nil, fmt.Errorf("operand %v does not fall into groups of %d heads", s, g)
			}
			return []int{s[0], s[1] / g, s[2], s[3]}, nil
		},
		Run: func(c *graph.Call) {
			g, n := c.Attrs.(*Group).Heads, c.Shape[2]*c.Shape[3]
			for i := range len(c.Out) / n {
				out := c.Out[i*n : (i+1)*n]
				copy(out, c.In[0].F[i*g*n:])
				for j := 1; j < g; j++ {
					kernel.Add(out, out, c.In[0].F[(i*g+j)*n:][:n])
				}
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("repeat_heads", t.G.Nodes[n].Attrs, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Group{3}, In: [][]int{{2, 6, 3, 4}}}}
		},
	})
}
