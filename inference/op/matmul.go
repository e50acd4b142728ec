package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// MatMul multiplies the last two dimensions, transposed where asked; the leading ones are a common batch.
type MatMul struct{ TransA, TransB bool }

func init() {
	graph.Register(&graph.Op{
		Name: "matmul",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, b := in[0], in[1]
			r := len(a)
			if r < 2 || r != len(b) || !equal(a[:r-2], b[:r-2]) {
				return nil, fmt.Errorf("operands %v and %v", a, b)
			}
			m, ka, kb, n := matDims(attrs.(*MatMul), a, b)
			if ka != kb {
				return nil, fmt.Errorf("operands %v and %v", a, b)
			}
			return append(append([]int{}, a[:r-2]...), m, n), nil
		},
		Run: func(c *graph.Call) {
			f, a, b := c.Attrs.(*MatMul), c.In[0], c.In[1]
			m, k, _, n := matDims(f, a.Shape, b.Shape)
			batch := graph.Size(a.Shape[:len(a.Shape)-2])
			kernel.MatMul(c.Threads, batch, m, n, k, a.F, b.F, c.Out, f.TransA, f.TransB)
		},
		VJP: matMulVJP,
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{
				{Attrs: &MatMul{}, In: [][]int{{2, 3, 4}, {2, 4, 5}}},
				{Attrs: &MatMul{TransB: true}, In: [][]int{{2, 2, 3, 4}, {2, 2, 5, 4}}},
				{Attrs: &MatMul{TransA: true}, In: [][]int{{2, 4, 3}, {2, 4, 5}}},
				{Attrs: &MatMul{true, true}, In: [][]int{{2, 4, 3}, {2, 5, 4}}},
			}
		},
	})
}

// matDims gives m, k of a, k of b, n.
func matDims(f *MatMul, a, b []int) (m, ka, kb, n int) {
	m, ka = a[len(a)-2], a[len(a)-1]
	if f.TransA {
		m, ka = ka, m
	}
	kb, n = b[len(b)-2], b[len(b)-1]
	if f.TransB {
		kb, n = n, kb
	}
	return m, ka, kb, n
}

// matMulVJP: C = A·B gives dA = dC·Bᵀ and dB = Aᵀ·dC, and so on for the transposed forms.
func matMulVJP(t *graph.Tape, n, dy graph.ID) []graph.ID {
	node := t.G.Nodes[n]
	f, a, b := node.Attrs.(*MatMul), node.In[0], node.In[1]
	add := func(ta, tb bool, x, y graph.ID) graph.ID { return t.G.Add("matmul", &MatMul{ta, tb}, "", x, y) }
	var da, db graph.ID
	if f.TransA {
		da = add(f.TransB, true, b, dy)
	} else {
		da = add(false, !f.TransB, dy, b)
	}
	if f.TransB {
		db = add(true, f.TransA, dy, a)
	} else {
		db = add(!f.TransA, false, a, dy)
	}
	return []graph.ID{da, db}
}
