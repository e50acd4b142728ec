package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Table is an embedding matrix (Rows,D): its rows, or the weight of an output layer that is tied to it, whose rows it then reads.
type Table struct {
	Rows, D int
	Data    []float32
	Tied    *Weight
}

// row copies a row to dst.
func (t *Table) row(dst []float32, i int) {
	if t.Tied != nil {
		t.Tied.forward.Column(dst, i)
		return
	}
	copy(dst, t.Data[i*t.D:(i+1)*t.D])
}

// Values are all rows; those of a tied table are copied together on every call.
func (t *Table) Values() []float32 {
	if t.Tied == nil {
		return t.Data
	}
	out := make([]float32, t.Rows*t.D)
	for i := range t.Rows {
		t.row(out[i*t.D:(i+1)*t.D], i)
	}
	return out
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
				t.row(c.Out[i*t.D:(i+1)*t.D], int(id))
			}
		},
		VJP: func(*graph.Tape, graph.ID, graph.ID) []graph.ID { return none(1) },
		Samples: func(r *rand.Rand) []graph.Sample {
			t := &Table{Rows: 4, D: 3, Data: random(r, 12)}
			tied := &Table{Rows: 21, D: 5, Tied: NewWeight(random(r, 105), 5, 21)}
			return []graph.Sample{
				{Attrs: t, In: [][]int{{1, 3}}, Ints: map[int][]int32{0: {2, 0, 3}}},
				{Attrs: tied, In: [][]int{{2, 2}}, Ints: map[int][]int32{0: {20, 0, 15, 16}}},
			}
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
			return []graph.Sample{{Attrs: &Positions{Table{Rows: 5, D: 3, Data: random(r, 15)}}, In: [][]int{{2, 4, 3}}}}
		},
	})
}
