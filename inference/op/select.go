package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
)

// Row names one token position; T is used by scatter_row only.
type Row struct{ Index, T int }

// select_row (B,T,D) -> (B,D) reads one token; scatter_row (B,D) -> (B,T,D) puts it back among zeros.
func init() {
	graph.Register(&graph.Op{
		Name: "select_row",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s := in[0]
			if len(s) != 3 || attrs.(*Row).Index >= s[1] {
				return nil, fmt.Errorf("operand %v has no row %d", s, attrs.(*Row).Index)
			}
			return []int{s[0], s[2]}, nil
		},
		Run: func(c *graph.Call) {
			selectRow(c, c.Attrs.(*Row).Index, c.Shape[1])
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			r := &Row{node.Attrs.(*Row).Index, t.G.Shape(node.In[0])[1]}
			return []graph.ID{t.G.Add("scatter_row", r, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Row{Index: 1}, In: [][]int{{2, 3, 4}}}}
		},
	})
	// slice_row is select_row that keeps the dimension: (B,T,D) -> (B,1,D).
	slice := *graph.Lookup("select_row")
	slice.Name = "slice_row"
	slice.Shape = func(attrs any, in [][]int) ([]int, error) {
		s := in[0]
		if len(s) != 3 || attrs.(*Row).Index >= s[1] {
			return nil, fmt.Errorf("operand %v has no row %d", s, attrs.(*Row).Index)
		}
		return []int{s[0], 1, s[2]}, nil
	}
	slice.Run = func(c *graph.Call) {
		selectRow(c, c.Attrs.(*Row).Index, c.Shape[2])
	}
	graph.Register(&slice)
	graph.Register(&graph.Op{
		Name: "scatter_row",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s := in[0]
			if len(s) < 2 || len(s) == 3 && s[1] != 1 {
				return nil, fmt.Errorf("operand %v is not one row", s)
			}
			return []int{s[0], attrs.(*Row).T, s[len(s)-1]}, nil
		},
		Run: func(c *graph.Call) {
			t, d, i := c.Shape[1], c.Shape[2], c.Attrs.(*Row).Index
			clear(c.Out)
			for b := range c.Shape[0] {
				copy(c.Out[(b*t+i)*d:][:d], c.In[0].F[b*d:(b+1)*d])
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("select_row", t.G.Nodes[n].Attrs, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Row{Index: 1, T: 3}, In: [][]int{{2, 4}}}}
		},
	})
}

func selectRow(c *graph.Call, i, d int) {
	t := c.In[0].Shape[1]
	for b := range c.Shape[0] {
		copy(c.Out[b*d:(b+1)*d], c.In[0].F[(b*t+i)*d:][:d])
	}
}
