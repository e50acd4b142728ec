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
	if ctx.Op.Name != "matmul" || *ctx.Attrs.(*MatMul) != (MatMul{}) || !free(ctx.In[0]) || !free(ctx.In[1]) {
		return false
	}
	probs, v := &g.Nodes[ctx.In[0]], &g.Nodes[ctx.In[1]]
	if probs.Op.Name != "softmax" || v.Op.Name != "split_heads" || !free(probs.In[0]) {
		return false
	}
	scores := &g.Nodes[probs.In[0]]
	if scores.Op.Name != "matmul" || *scores.Attrs.(*MatMul) != (MatMul{TransB: true}) || !free(scores.In[0]) || !free(scores.In[1]) {
		return false
	}
	q, k := &g.Nodes[scores.In[0]], &g.Nodes[scores.In[1]]
	if q.Op.Name != "split_heads" || k.Op.Name != "split_heads" {
		return false
	}
	a := &Attention{H: q.Attrs.(*Heads).H, Scale: probs.Attrs.(*Softmax).Scale}
	g.Rewrite(id, "attention", a, q.In[0], k.In[0], v.In[0])
	return true
}

func runAttention(c *graph.Call) {
	a := c.Attrs.(*Attention)
	q, k, v := c.In[0], c.In[1], c.In[2]
	b, tq, tk, width := q.Shape[0], q.Shape[1], k.Shape[1], q.Shape[2]
	d := width / a.H
	kernel.Parallel(c.Threads, b*a.H, func(u int) {
		i, h := u/a.H, u%a.H
		s := scratch(2*tq*d + 2*tk*d + tq*tk)
		defer release(s)
		buf := *s
		part := func(n int) []float32 {
			p := buf[:n:n]
			buf = buf[n:]
			return p
		}
		qh, kh, vh, oh, w := part(tq*d), part(tk*d), part(tk*d), part(tq*d), part(tq*tk)
		for t := range tq {
			copy(qh[t*d:(t+1)*d], q.F[(i*tq+t)*width+h*d:][:d])
		}
		for t := range tk {
			copy(kh[t*d:(t+1)*d], k.F[(i*tk+t)*width+h*d:][:d])
			copy(vh[t*d:(t+1)*d], v.F[(i*tk+t)*width+h*d:][:d])
		}
		kernel.MatMul(1, 1, tq, tk, d, qh, kh, w, false, true)
		kernel.Softmax(1, tq, tk, w, w, a.Scale)
		kernel.MatMul(1, 1, tq, d, tk, w, vh, oh, false, false)
		for t := range tq {
			copy(c.Out[(i*tq+t)*width+h*d:][:d], oh[t*d:(t+1)*d])
		}
	})
}
