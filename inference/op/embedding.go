package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Table is an embedding matrix (Rows,D).
type Table struct {
	Rows, D int
	Data    []float32
}

// embedding looks up one row of the table for each id: (B,T) -> (B,T,D). Ids are checked by the engine before.
func init() {
	graph.Register(&graph.Op{
		Name: "embedding",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			return append(append([]int{}, in[0]...), attrs.(*Table).D), nil
		},
		Run: func(c *graph.Call) {
			t := c.Attrs.(*Table)
			for i, id := range c.In[0].I {
				copy(c.Out[i*t.D:(i+1)*t.D], t.Data[int(id)*t.D:(int(id)+1)*t.D])
			}
		},
		VJP: func(*graph.Tape, graph.ID, graph.ID) []graph.ID { return none(1) },
		Samples: func(r *rand.Rand) []graph.Sample {
			t := &Table{Rows: 4, D: 3, Data: random(r, 12)}
			return []graph.Sample{{Attrs: t, In: [][]int{{1, 3}}, Ints: map[int][]int32{0: {2, 0, 3}}}}
		},
	})
}

// Positions are the learned position vectors, row t for token t, of which the first T are used.
type Positions struct{ Table }

// positions adds row t of a table to token t: x (B,T,D) + table[0:T].
func init() {
	graph.Register(&graph.Op{
		Name: "positions",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			p, s := attrs.(*Positions), in[0]
			if err := rank(s, 3); err != nil {
				return nil, err
			}
			if s[1] > p.Rows || s[2] != p.D {
				return nil, fmt.Errorf("operand %v, positions are (%d,%d)", s, p.Rows, p.D)
			}
			return s, nil
		},
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			p := c.Attrs.(*Positions).Data[:c.Shape[1]*c.Shape[2]]
			n := len(p)
			for b := range c.Shape[0] {
				out, in := c.Out[b*n:(b+1)*n], c.In[0].F[b*n:(b+1)*n]
				overElements(c, n, func(lo, hi int) { kernel.Add(out[lo:hi], in[lo:hi], p[lo:hi]) })
			}
		},
		VJP: func(_ *graph.Tape, _, dy graph.ID) []graph.ID { return []graph.ID{dy} },
		Samples: func(r *rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Positions{Table{5, 3, random(r, 15)}}, In: [][]int{{2, 4, 3}}}}
		},
	})
}
