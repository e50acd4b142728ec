package family

import (
	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// The parts below are shared by all families that generate: one layer with its options, laid out in two ways. Letters: N rows of a step, H heads.

// flow is a way to lay a network out: whole sequences (B,T,D) with taps and gradients, or, where step is set, rows (1,N,D) of any sequences over what those
// remember. Both give the same bits.
type flow struct {
	g         *graph.Graph
	step      *op.Step
	positions graph.ID // (1,N) of a step's rows
}

// norm is a LayerNorm, an RMS norm or nothing.
type norm struct {
	layer *op.LayerNorm
	rms   *op.RMSNorm
}

func (n norm) present() bool { return n.layer != nil || n.rms != nil }

func (n norm) add(g *graph.Graph, name string, x graph.ID) graph.ID {
	switch {
	case n.layer != nil:
		return g.Add("layer_norm", n.layer, name, x)
	case n.rms != nil:
		return g.Add("rms_norm", n.rms, name, x)
	}
	if name != "" {
		g.Alias(name, x)
	}
	return x
}

// attention is multi-head attention with the options of the families.
type attention struct {
	q, k, v, o   nn.Linear
	heads, kv    int // query heads, and key-value heads that groups of them share
	width        int // of a head
	scale        float32
	qNorm, kNorm *op.RMSNorm // over each head, nil for none
	rope         *op.Rope    // nil for none
	window       int         // 0 for all keys
	limit        float32     // soft cap of the scores, 0 for none
	bias         *op.RelativeBias
	causal       bool
}

// add appends the block for queries from x and keys and values from source, the same for self-attention; a step's cross-attention reads what it remembers.
func (a *attention) add(f *flow, layer int, tap string, x, source graph.ID, cross bool) graph.ID {
	g := f.g
	turn := func(y graph.ID, n *op.RMSNorm) graph.ID {
		if n != nil {
			y = g.Add("rms_norm", n, "", y)
		}
		switch {
		case a.rope == nil:
			return y
		case f.step != nil:
			return g.Add("rope", a.rope, "", y, f.positions)
		}
		return g.Add("rope", a.rope, "", y)
	}
	q := turn(a.q.Add(g, "", x), a.qNorm)
	if f.step != nil {
		c := &op.CachedAttention{Step: f.step, Layer: layer, H: a.heads, KV: a.kv, Width: a.width, Scale: a.scale, Window: a.window, Bias: a.bias, Cross: cross}
		if a.limit > 0 {
			c.Cap, c.Scale = &op.SoftCap{Scale: a.scale, Cap: a.limit}, 1
		}
		if cross {
			return a.o.Add(g, "", g.Add("cached_attention", c, "", q))
		}
		k, v := turn(a.k.Add(g, "", x), a.kNorm), a.v.Add(g, "", x)
		return a.o.Add(g, "", g.Add("cached_attention", c, "", q, k, v))
	}
	return a.whole(g, tap, q, turn(a.k.Add(g, "", source), a.kNorm), a.v.Add(g, "", source))
}

// whole appends attention over whole sequences, its probabilities tapped.
func (a *attention) whole(g *graph.Graph, tap string, q, k, v graph.ID) graph.ID {
	split := func(y graph.ID, heads int) graph.ID {
		y = g.Add("split_heads", &op.Heads{H: heads}, "", y)
		if heads != a.heads {
			y = g.Add("repeat_heads", &op.Group{Heads: a.heads / heads}, "", y)
		}
		return y
	}
	scores := g.Add("matmul", &op.MatMul{TransB: true}, "", split(q, a.heads), split(k, a.kv))
	scale := a.scale
	if a.limit > 0 {
		scores, scale = g.Add("soft_cap", &op.SoftCap{Scale: scale, Cap: a.limit}, "", scores), 1
	}
	if a.bias != nil {
		scores = g.Add("relative_bias", a.bias, "", scores)
	}
	var probs graph.ID
	if a.causal {
		probs = g.Add("causal_softmax", &op.Causal{Scale: scale, Window: a.window}, tap, scores)
	} else {
		probs = g.Add("softmax", &op.Softmax{Scale: scale}, tap, scores)
	}
	ctx := g.Add("matmul", &op.MatMul{}, "", probs, split(v, a.kv))
	return a.o.Add(g, "", g.Add("merge_heads", nil, "", ctx))
}

// mlp is down(act(up(x))), or down(act(gate(x))·up(x)).
type mlp struct {
	gate     *nn.Linear
	up, down nn.Linear
	act      *op.Act
}

func (m *mlp) add(g *graph.Graph, x graph.ID) graph.ID {
	if m.gate == nil {
		return m.down.Add(g, "", op.AddAct(g, m.act, "", m.up.Add(g, "", x)))
	}
	h := op.AddAct(g, m.act, "", m.gate.Add(g, "", x))
	return m.down.Add(g, "", g.Add("mul", nil, "", h, m.up.Add(g, "", x)))
}

// layer is one layer: self-attention, attention over an encoder's output where there is one, feed-forward. A norm stands before each block, or, with post,
// behind its residual sum.
type layer struct {
	self                         attention
	cross                        *attention
	mlp                          mlp
	selfNorm, crossNorm, mlpNorm norm
	selfAfter, mlpAfter          norm // on a block's output, before the residual sum (Gemma 2)
	post, parallel               bool // parallel: both blocks read the layer's input (GPT-NeoX)
}

// layerTaps names a layer's probabilities, and what its blocks add to the residual sum; "" for what has no name.
type layerTaps struct{ self, cross, attended, fed string }

func (l *layer) add(f *flow, i int, taps layerTaps, x, source graph.ID) graph.ID {
	g := f.g
	sum := func(y, x graph.ID, n norm) graph.ID {
		x = g.Add("add", nil, "", y, x)
		if l.post {
			x = n.add(g, "", x)
		}
		return x
	}
	before := func(n norm, x graph.ID) graph.ID {
		if l.post {
			return x
		}
		return n.add(g, "", x)
	}
	named := func(name string, y graph.ID) graph.ID {
		if name != "" {
			g.Alias(name, y)
		}
		return y
	}
	h := before(l.selfNorm, x)
	a := named(taps.attended, l.selfAfter.add(g, "", l.self.add(f, i, taps.self, h, h, false)))
	if l.parallel {
		m := named(taps.fed, l.mlp.add(g, before(l.mlpNorm, x)))
		return g.Add("add", nil, "", g.Add("add", nil, "", m, a), x)
	}
	x = sum(a, x, l.selfNorm)
	if l.cross != nil {
		x = sum(l.cross.add(f, i, taps.cross, before(l.crossNorm, x), source, true), x, l.crossNorm)
	}
	return sum(named(taps.fed, l.mlpAfter.add(g, "", l.mlp.add(g, before(l.mlpNorm, x)))), x, l.mlpNorm)
}
