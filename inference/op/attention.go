package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Attention is scaled dot-product attention over H heads, maps not materialised. Shared heads of the queries read one head of
// keys and values (Ainslie et al. 2023); zero means one. Causal queries stand at the end of the keys and see no later ones.
type Attention struct {
	H, Shared int
	Scale     float32
	Causal    bool
}

// attention (q (B,Tq,D), k, v (B,Tk,D/Shared)) -> (B,Tq,D): the fused form of split_heads, repeat_heads, matmul, softmax or
// causal_softmax, matmul, merge_heads with the same kernels on the same rows, hence the same bits.
func init() {
	graph.Register(&graph.Op{
		Name: "attention",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, q, k, v := attrs.(*Attention), in[0], in[1], in[2]
			if len(q) != 3 || !equal(k, v) || len(k) != 3 || q[0] != k[0] || q[2] != k[2]*max(1, a.Shared) || q[2]%a.H != 0 || a.Causal && k[1] < q[1] {
				return nil, fmt.Errorf("queries %v, keys %v, values %v", q, k, v)
			}
			return q, nil
		},
		Run: runAttention,
		Samples: func(*rand.Rand) []graph.Sample {
			s, narrow := []int{2, 3, 8}, []int{1, 5, 4}
			return []graph.Sample{
				{Attrs: &Attention{H: 2, Scale: 0.5}, In: [][]int{s, s, s}},
				{Attrs: &Attention{H: 2, Scale: 0.5, Causal: true}, In: [][]int{s, s, s}},
				{Attrs: &Attention{H: 6, Shared: 3, Scale: 1, Causal: true}, In: [][]int{{1, 3, 12}, narrow, narrow}},
				{Attrs: &Attention{H: 4, Shared: 2, Scale: 1}, In: [][]int{{1, 7, 8}, narrow, narrow}},
			}
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
	var a Attention
	switch p := probs.Attrs.(type) {
	case *Softmax:
		a.Scale = p.Scale
	case *Causal:
		a.Scale, a.Causal = p.Scale, true
		if p.Window != 0 {
			return false
		}
	}
	if probs.Op.Name != "softmax" && probs.Op.Name != "causal_softmax" || !free(probs.In[0]) {
		return false
	}
	scores := &g.Nodes[probs.In[0]]
	if scores.Op.Name != "matmul" {
		return false
	}
	// The matmuls have taken their operands' heads in place before (fuseSplitHeads), but for heads that are repeated.
	f, last := *scores.Attrs.(*MatMul), *ctx.Attrs.(*MatMul)
	k, shared := sharedHeads(g, scores.In[1], &f.HeadsB)
	v, same := sharedHeads(g, ctx.In[1], &last.HeadsB)
	a.H, a.Shared = f.HeadsA, shared
	if a.H == 0 || shared != same || f != (MatMul{TransB: true, HeadsA: a.H, HeadsB: a.H}) || last != (MatMul{HeadsB: a.H}) {
		return false
	}
	g.Rewrite(id, "attention", &a, scores.In[0], k, v)
	return true
}

// sharedHeads looks through the repetition of heads of a matmul's second operand: the operand before it, and how often a head
// is repeated. heads becomes the number of heads after it.
func sharedHeads(g *graph.Graph, id graph.ID, heads *int) (operand graph.ID, shared int) {
	if n := g.Nodes[id]; *heads == 0 && n.Op.Name == "repeat_heads" {
		if split := g.Nodes[n.In[0]]; split.Op.Name == "split_heads" {
			*heads = n.Shape[1]
			return split.In[0], n.Attrs.(*Group).Heads
		}
	}
	return id, 1
}

func runAttention(c *graph.Call) {
	a := c.Attrs.(*Attention)
	q, k, v := c.In[0], c.In[1], c.In[2]
	shared := max(1, a.Shared)
	d := q.Shape[2] / a.H
	in := func(x graph.Value, heads int) kernel.Batch {
		return matrices(x.F, []int{x.Shape[1], d}, heads, heads, false)
	}
	h := kernel.Heads{Shared: shared, TQ: q.Shape[1], TK: k.Shape[1], D: d, Scale: a.Scale, Causal: a.Causal}
	x, y, z, out := in(q, a.H), in(k, a.H/shared), in(v, a.H/shared), in(graph.Value{Shape: c.Shape, F: c.Out}, a.H)
	// A unit is the heads that read one head of keys.
	overMatrices(c, q.Shape[0], a.H/shared, shared*h.TQ*h.TK*(2*d+elementWork), func(o, i, outer, inner int) {
		h.B, h.H = outer, inner*shared
		kernel.Attention(c.Threads, h, from(x, o, i*shared), from(y, o, i), from(z, o, i), from(out, o, i*shared))
	})
}
