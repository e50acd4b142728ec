package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
)

// Picks is the number of elements one target combines: start and end for question answering, twice for a difference.
const Picks = 4

// Whole is the shape pick_grad writes.
type Whole struct{ Shape []int }

// pick (y (B,...), index (B,4) int, weight (B,4)) -> (B): Σ weight·y[index], index into the example's own block; the
// scalar that a target names. pick_grad (dy (B), index, weight) scatters it back.
func init() {
	graph.Register(&graph.Op{
		Name: "pick",
		Shape: func(_ any, in [][]int) ([]int, error) {
			b := in[0][0]
			if want := []int{b, Picks}; !equal(in[1], want) || !equal(in[2], want) {
				return nil, fmt.Errorf("index %v and weight %v should be %v", in[1], in[2], want)
			}
			return []int{b}, nil
		},
		Run: func(c *graph.Call) {
			n := len(c.In[0].F) / len(c.Out)
			for b := range c.Out {
				var sum float32
				for j := b * Picks; j < (b+1)*Picks; j++ {
					if w := c.In[2].F[j]; w != 0 {
						sum += float32(w * c.In[0].F[b*n+int(c.In[1].I[j])])
					}
				}
				c.Out[b] = sum
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			in := t.G.Nodes[n].In
			g := t.G.Add("pick_grad", &Whole{t.G.Shape(in[0])}, "", dy, in[1], in[2])
			return []graph.ID{g, graph.None, graph.None}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 3, 2}, {2, Picks}, {2, Picks}}, Ints: map[int][]int32{1: {0, 5, 2, 1, 3, 4, 1, 0}}}}
		},
	})
	graph.Register(&graph.Op{
		Name:  "pick_grad",
		Shape: func(attrs any, _ [][]int) ([]int, error) { return attrs.(*Whole).Shape, nil },
		Run: func(c *graph.Call) {
			b := len(c.In[0].F)
			n := len(c.Out) / b
			clear(c.Out)
			for i, dy := range c.In[0].F {
				for j := i * Picks; j < (i+1)*Picks; j++ {
					c.Out[i*n+int(c.In[1].I[j])] += float32(dy * c.In[2].F[j])
				}
			}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Whole{[]int{2, 6}}, In: [][]int{{2}, {2, Picks}, {2, Picks}},
				Ints: map[int][]int32{1: {0, 5, 2, 1, 3, 4, 1, 0}}}}
		},
	})
}
