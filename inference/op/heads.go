package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
)

// Heads is the number of attention heads.
type Heads struct{ H int }

// split_heads (B,T,D) -> (B,H,T,D/H) and merge_heads, its inverse and its reverse rule.
func init() {
	graph.Register(&graph.Op{
		Name: "split_heads",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			h, s := attrs.(*Heads).H, in[0]
			if len(s) != 3 || h < 1 || s[2]%h != 0 {
				return nil, fmt.Errorf("operand %v does not split into %d heads", s, h)
			}
			return []int{s[0], h, s[1], s[2] / h}, nil
		},
		Run: func(c *graph.Call) {
			h, t, d := c.Shape[1], c.Shape[2], c.Shape[3]
			for b := range c.Shape[0] {
				for i := range t {
					for j := range h {
						copy(c.Out[((b*h+j)*t+i)*d:][:d], c.In[0].F[((b*t+i)*h+j)*d:][:d])
					}
				}
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("merge_heads", nil, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Heads{3}, In: [][]int{{2, 4, 6}}}}
		},
	})
	graph.Register(&graph.Op{
		Name: "merge_heads",
		Shape: func(_ any, in [][]int) ([]int, error) {
			s := in[0]
			if err := rank(s, 4); err != nil {
				return nil, err
			}
			return []int{s[0], s[2], s[1] * s[3]}, nil
		},
		Run: func(c *graph.Call) {
			s := c.In[0].Shape
			h, t, d := s[1], s[2], s[3]
			for b := range s[0] {
				for i := range t {
					for j := range h {
						copy(c.Out[((b*t+i)*h+j)*d:][:d], c.In[0].F[((b*h+j)*t+i)*d:][:d])
					}
				}
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			h := t.G.Shape(t.G.Nodes[n].In[0])[1]
			return []graph.ID{t.G.Add("split_heads", &Heads{h}, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 3, 4, 2}}}}
		},
	})
}
