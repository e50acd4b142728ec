package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// MatMul multiplies the last two dimensions, transposed where asked; the leading ones are a common batch. An operand or
// the result may have its heads side by side: with HeadsA = H, A is (B,T,H·d) and stands for (B,H,T,d), read in place.
type MatMul struct {
	TransA, TransB         bool
	HeadsA, HeadsB, HeadsC int // 0 where heads are a dimension of their own
}

// headsApart is the shape with the heads as a dimension of their own.
func headsApart(s []int, heads int) ([]int, error) {
	if heads == 0 {
		return s, nil
	}
	if len(s) != 3 || s[2]%heads != 0 {
		return nil, fmt.Errorf("operand %v does not split into %d heads", s, heads)
	}
	return []int{s[0], heads, s[1], s[2] / heads}, nil
}

// sides are the operands' shapes, heads apart.
func (f *MatMul) sides(a, b []int) (sa, sb []int, err error) {
	if sa, err = headsApart(a, f.HeadsA); err == nil {
		sb, err = headsApart(b, f.HeadsB)
	}
	return sa, sb, err
}

func init() {
	graph.Register(&graph.Op{
		Name: "matmul",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			f := attrs.(*MatMul)
			a, b, err := f.sides(in[0], in[1])
			if err != nil {
				return nil, err
			}
			r := len(a)
			if r < 2 || r != len(b) || !equal(a[:r-2], b[:r-2]) {
				return nil, fmt.Errorf("operands %v and %v", a, b)
			}
			m, ka, kb, n := matDims(f, a, b)
			if ka != kb {
				return nil, fmt.Errorf("operands %v and %v", a, b)
			}
			if f.HeadsC == 0 {
				return append(append([]int{}, a[:r-2]...), m, n), nil
			}
			if r != 4 || a[1] != f.HeadsC {
				return nil, fmt.Errorf("operands %v and %v have no %d heads", a, b, f.HeadsC)
			}
			return []int{a[0], m, f.HeadsC * n}, nil
		},
		Run: runMatMul,
		VJP: matMulVJP,
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{
				{Attrs: &MatMul{}, In: [][]int{{2, 3, 4}, {2, 4, 5}}},
				{Attrs: &MatMul{TransB: true}, In: [][]int{{2, 2, 3, 4}, {2, 2, 5, 4}}},
				{Attrs: &MatMul{TransA: true}, In: [][]int{{2, 4, 3}, {2, 4, 5}}},
				{Attrs: &MatMul{TransA: true, TransB: true}, In: [][]int{{2, 4, 3}, {2, 5, 4}}},
				{Attrs: &MatMul{TransB: true, HeadsA: 2, HeadsB: 2}, In: [][]int{{2, 3, 8}, {2, 5, 8}}},
				{Attrs: &MatMul{HeadsB: 3, HeadsC: 3}, In: [][]int{{2, 3, 4, 5}, {2, 5, 6}}},
				{Attrs: &MatMul{TransA: true, HeadsB: 2, HeadsC: 2}, In: [][]int{{1, 2, 4, 3}, {1, 4, 10}}},
			}
		},
	})
	graph.RegisterFusion("heads in place", fuseSplitHeads)
	graph.RegisterFusion("heads of result", fuseMergeHeads)
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

func runMatMul(c *graph.Call) {
	f := c.Attrs.(*MatMul)
	a, b, err := f.sides(c.In[0].Shape, c.In[1].Shape)
	if err != nil {
		panic("op: matmul: operands do not fit")
	}
	m, k, _, n := matDims(f, a, b)
	inner := max(f.HeadsA, f.HeadsB, f.HeadsC, 1)
	outer := graph.Size(a[:len(a)-2]) / inner
	x, y, z := matrices(c.In[0].F, a, f.HeadsA, inner, f.TransA), matrices(c.In[1].F, b, f.HeadsB, inner, f.TransB), matrices(c.Out, []int{m, n}, f.HeadsC, inner, false)
	overMatrices(c, outer, inner, m*n*k, func(o, i, outer, inner int) {
		kernel.MatMulBatch(c.Threads, outer, inner, m, n, k, from(x, o, i), from(y, o, i), from(z, o, i))
	})
}

// overMatrices calls f on parts of a batch of outer×inner matrices of per multiply-adds, as slabs does: from (o,i) on.
func overMatrices(c *graph.Call, outer, inner, per int, f func(o, i, outer, inner int)) {
	if outer == 1 {
		slabs(c, inner, 1, per, func(lo, hi int) { f(0, lo, 1, hi-lo) })
		return
	}
	slabs(c, outer, 1, per*inner, func(lo, hi int) { f(lo, 0, hi-lo, inner) })
}

// from is the batch that starts at matrix (o,i).
func from(b kernel.Batch, o, i int) kernel.Batch {
	b.Data = b.Data[o*b.Outer+i*b.Inner:]
	return b
}

// matrices describes the matrices of a value, whose last two dimensions as stored are those of s.
func matrices(x []float32, s []int, heads, inner int, trans bool) kernel.Batch {
	rows, cols := s[len(s)-2], s[len(s)-1]
	if heads > 0 {
		return kernel.Batch{Data: x, Outer: rows * heads * cols, Inner: cols, Row: heads * cols, Trans: trans}
	}
	return kernel.Batch{Data: x, Outer: inner * rows * cols, Inner: rows * cols, Row: cols, Trans: trans}
}

// matMulVJP: C = A·B gives dA = dC·Bᵀ and dB = Aᵀ·dC, and so on for the transposed forms.
func matMulVJP(t *graph.Tape, n, dy graph.ID) []graph.ID {
	node := t.G.Nodes[n]
	f, a, b := node.Attrs.(*MatMul), node.In[0], node.In[1]
	type side struct {
		id    graph.ID
		heads int
	}
	A, B, C := side{a, f.HeadsA}, side{b, f.HeadsB}, side{dy, f.HeadsC}
	add := func(ta, tb bool, x, y side, heads int) graph.ID {
		return t.G.Add("matmul", &MatMul{ta, tb, x.heads, y.heads, heads}, "", x.id, y.id)
	}
	var da, db graph.ID
	if f.TransA {
		da = add(f.TransB, true, B, C, f.HeadsA)
	} else {
		da = add(false, !f.TransB, C, B, f.HeadsA)
	}
	if f.TransB {
		db = add(true, f.TransA, C, A, f.HeadsB)
	} else {
		db = add(!f.TransA, false, A, C, f.HeadsB)
	}
	return []graph.ID{da, db}
}

// fuseSplitHeads reads heads where they lie, instead of a copy that has them apart.
func fuseSplitHeads(g *graph.Graph, id graph.ID, _ func(graph.ID) bool) bool {
	n := g.Nodes[id]
	if n.Op.Name != "matmul" {
		return false
	}
	f := *n.Attrs.(*MatMul)
	in := [2]graph.ID{n.In[0], n.In[1]}
	for i, heads := range []*int{&f.HeadsA, &f.HeadsB} {
		if p := g.Nodes[in[i]]; *heads == 0 && p.Op.Name == "split_heads" {
			*heads, in[i] = p.Attrs.(*Heads).H, p.In[0]
		}
	}
	if in == [2]graph.ID{n.In[0], n.In[1]} {
		return false
	}
	g.Rewrite(id, "matmul", &f, in[0], in[1])
	return true
}

// fuseMergeHeads writes heads side by side at once.
func fuseMergeHeads(g *graph.Graph, id graph.ID, free func(graph.ID) bool) bool {
	n := g.Nodes[id]
	if n.Op.Name != "merge_heads" || !free(n.In[0]) {
		return false
	}
	p := g.Nodes[n.In[0]]
	if p.Op.Name != "matmul" || p.Attrs.(*MatMul).HeadsC != 0 {
		return false
	}
	f := *p.Attrs.(*MatMul)
	f.HeadsC = g.Shape(n.In[0])[1]
	g.Rewrite(id, "matmul", &f, p.In...)
	return true
}
