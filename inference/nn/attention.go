package nn

import (
	"math"

	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// SelfAttention is multi-head scaled dot-product attention (Vaswani et al. 2017) over all positions.
type SelfAttention struct {
	Q, K, V, O Linear
	Heads      int
}

// AttentionTaps names the inner values of one attention block, "" for those without a name. Maps are the probabilities of
// all positions of x, beside those of xq that the block goes on with.
type AttentionTaps struct{ Query, Key, Value, Probs, Context, Maps string }

// Add appends the block: queries from xq (B,Tq,D), keys and values from x (B,T,D) -> (B,Tq,D).
func (a SelfAttention) Add(g *graph.Graph, taps AttentionTaps, xq, x graph.ID) graph.ID {
	width := a.Q.W.Out
	heads := &op.Heads{H: a.Heads}
	split := func(l Linear, tap string, x graph.ID) graph.ID {
		return g.Add("split_heads", heads, "", l.Add(g, tap, x))
	}
	q, k, v := split(a.Q, taps.Query, xq), split(a.K, taps.Key, x), split(a.V, taps.Value, x)
	maps := func(q graph.ID, tap string) graph.ID {
		scores := g.Add("matmul", &op.MatMul{TransB: true}, "", q, k)
		return g.Add("softmax", &op.Softmax{Scale: float32(1 / math.Sqrt(float64(width/a.Heads)))}, tap, scores)
	}
	if taps.Maps != "" {
		maps(split(a.Q, "", x), taps.Maps)
	}
	probs := maps(q, taps.Probs)
	ctx := g.Add("matmul", &op.MatMul{}, "", probs, v)
	return a.O.Add(g, "", g.Add("merge_heads", nil, taps.Context, ctx))
}
