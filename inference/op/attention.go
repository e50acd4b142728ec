package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Attention is scaled dot-product attention over heads, maps not materialised.
type Attention struct {
	H     int
	Scale float32
}

// attention (q, k, v), each (B,T,D) -> (B,T,D): the fused form of split_heads, matmul, softmax, matmul, merge_heads
// with the same kernels on the same rows, hence the same bits.
func init() {
	graph.Register(&graph.Op{
		Name: "attention",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			q, k, v := in[0], in[1], in[2]
			if len(q) != 3 || !equal(k, v) || len(k) != 3 || q[0] != k[0] || q[2] != k[2] || q[2]%attrs.(*Attention).H != 0 {
				return nil, fmt.Errorf("queries %v, keys %v, values %v", q, k, v)
			}
			return q, nil
		},
		Run: runAttention,
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Attention{2, 0.5}, In: [][]int{{2, 3, 8}, {2, 3, 8}, {2, 3, 8}}}}
		},
	})
	graph.RegisterFusion("attention", fuseAttention)
}

func fuseAttention(g *graph.Graph, id graph.ID, free func(graph.ID) bool) bool {
	n := &g.Nodes[id]
	if n.Op.Name != "merge_heads" || !free(n.In[0]) {
		return false
	}
	ctx := &g.Nodes[n.In[0]]
	if ctx.Op.Name != "matmul" || !free(ctx.In[0]) {
		return false
	}
	probs := &g.Nodes[ctx.In[0]]
	if probs.Op.Name != "softmax" || !free(probs.In[0]) {
		return false
	}
	scores := &g.Nodes[probs.In[0]]
	if scores.Op.Name != "matmul" {
		return false
	}
	// The matmuls have taken their operands' heads in place before (fuseSplitHeads).
	f, last := *scores.Attrs.(*MatMul), *ctx.Attrs.(*MatMul)
	h := f.HeadsA
	if h == 0 || f != (MatMul{TransB: true, HeadsA: h, HeadsB: h}) || last != (MatMul{HeadsB: h}) {
		return false
	}
	g.Rewrite(id, "attention", &Attention{H: h, Scale: probs.Attrs.(*Softmax).Scale}, scores.In[0], scores.In[1], ctx.In[1])
	return true
}

func runAttention(c *graph.Call) {
	a := c.Attrs.(*Attention)
	q, k, v := c.In[0], c.In[1], c.In[2]
	d := q.Shape[2] / a.H
	in := func(x graph.Value) kernel.Batch {
		return matrices(x.F, []int{x.Shape[1], d}, a.H, a.H, false)
	}
	h := kernel.Heads{TQ: q.Shape[1], TK: k.Shape[1], D: d, Scale: a.Scale}
	x, y, z, out := in(q), in(k), in(v), in(graph.Value{Shape: c.Shape, F: c.Out})
	overMatrices(c, q.Shape[0], a.H, h.TQ*h.TK*(2*d+elementWork), func(o, i, outer, inner int) {
		h.B, h.H = outer, inner
		kernel.Attention(c.Threads, h, from(x, o, i), from(y, o, i), from(z, o, i), from(out, o, i))
	})
}
