package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// take_rows (x (1,N,D), index (R) int) -> (1,R,D) reads rows by number; put_rows (dy (1,R,D), index) -> (1,N,D), its reverse rule, adds them up.
func init() {
	graph.Register(&graph.Op{
		Name: "take_rows",
		Shape: func(_ any, in [][]int) ([]int, error) {
			if len(in[0]) != 3 || in[0][0] != 1 || len(in[1]) != 1 {
				return nil, fmt.Errorf("operand %v, rows %v", in[0], in[1])
			}
			return []int{1, in[1][0], in[0][2]}, nil
		},
		Run: func(c *graph.Call) {
			d := c.Shape[2]
			for i, r := range c.In[1].I {
				copy(c.Out[i*d:(i+1)*d], c.In[0].F[int(r)*d:(int(r)+1)*d])
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			in := t.G.Nodes[n].In
			return []graph.ID{t.G.Add("put_rows", &Whole{t.G.Shape(in[0])}, "", dy, in[1]), graph.None}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{1, 4, 3}, {3}}, Ints: map[int][]int32{1: {2, 0, 2}}}}
		},
	})
	graph.Register(&graph.Op{
		Name:  "put_rows",
		Shape: func(attrs any, _ [][]int) ([]int, error) { return attrs.(*Whole).Shape, nil },
		Run: func(c *graph.Call) {
			d := c.Shape[2]
			clear(c.Out)
			for i, r := range c.In[1].I {
				row := c.Out[int(r)*d : (int(r)+1)*d]
				kernel.Add(row, row, c.In[0].F[i*d:(i+1)*d])
			}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Whole{[]int{1, 4, 3}}, In: [][]int{{1, 3, 3}, {3}}, Ints: map[int][]int32{1: {2, 0, 2}}}}
		},
	})
}

// take_row (x (B,T,D), index (B) int) -> (B,1,D) reads one row of each example, of its own number; put_row (dy (B,1,D), index) -> (B,T,D) puts it back among
// zeros.
func init() {
	graph.Register(&graph.Op{
		Name: "take_row",
		Shape: func(_ any, in [][]int) ([]int, error) {
			if len(in[0]) != 3 || len(in[1]) != 1 || in[0][0] != in[1][0] {
				return nil, fmt.Errorf("operand %v, rows %v", in[0], in[1])
			}
			return []int{in[0][0], 1, in[0][2]}, nil
		},
		Run: func(c *graph.Call) {
			t, d := c.In[0].Shape[1], c.Shape[2]
			for b, r := range c.In[1].I {
				copy(c.Out[b*d:(b+1)*d], c.In[0].F[(b*t+int(r))*d:])
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			in := t.G.Nodes[n].In
			return []graph.ID{t.G.Add("put_row", &Whole{t.G.Shape(in[0])}, "", dy, in[1]), graph.None}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{In: [][]int{{2, 4, 3}, {2}}, Ints: map[int][]int32{1: {3, 0}}}}
		},
	})
	graph.Register(&graph.Op{
		Name:  "put_row",
		Shape: func(attrs any, _ [][]int) ([]int, error) { return attrs.(*Whole).Shape, nil },
		Run: func(c *graph.Call) {
			t, d := c.Shape[1], c.Shape[2]
			clear(c.Out)
			for b, r := range c.In[1].I {
				copy(c.Out[(b*t+int(r))*d:][:d], c.In[0].F[b*d:])
			}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Whole{[]int{2, 4, 3}}, In: [][]int{{2, 1, 3}, {2}}, Ints: map[int][]int32{1: {3, 0}}}}
		},
	})
}
