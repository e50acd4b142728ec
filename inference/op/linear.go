package op

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Weight is the matrix of a linear layer (Out,In), packed once and shared by all runs. The transposed panels of the
// backward pass are packed on first use.
type Weight struct {
	In, Out int
	forward *kernel.Panel
	once    sync.Once
	back    *kernel.Panel
	packed  atomic.Bool
}

// NewWeight packs w (out,in).
func NewWeight(w []float32, in, out int) *Weight {
	return &Weight{In: in, Out: out, forward: kernel.Pack(w, in, out, true)}
}

// PackedWeight takes the panels of a weight (out,in) as they are: columns are outputs.
func PackedWeight(p *kernel.Panel) *Weight { return &Weight{In: p.K, Out: p.N, forward: p} }

func (w *Weight) panel(trans bool) *kernel.Panel {
	if !trans {
		return w.forward
	}
	w.once.Do(func() {
		w.back = w.forward.Transposed()
		w.packed.Store(true)
	})
	return w.back
}

// Linear is y = act(x·Wᵀ + bias [+ residual]); with Trans, y = x·W: its own reverse rule.
type Linear struct {
	W     *Weight
	Trans bool
	Bias  []float32
	Act   *Act // nil for none
}

func (l *Linear) dims() (in, out int) {
	if l.Trans {
		return l.W.Out, l.W.In
	}
	return l.W.In, l.W.Out
}

func init() {
	graph.Register(&graph.Op{
		Name: "linear",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			k, n := attrs.(*Linear).dims()
			s := in[0]
			if len(s) == 0 || s[len(s)-1] != k {
				return nil, fmt.Errorf("operand %v, the weight takes rows of %d", s, k)
			}
			out := append(append([]int{}, s[:len(s)-1]...), n)
			if len(in) > 1 && !equal(in[1], out) {
				return nil, fmt.Errorf("residual %v does not fit the result %v", in[1], out)
			}
			return out, nil
		},
		Rows:     true,
		Run:      runLinear,
		Together: runLinears,
		Kept: func(attrs any) int64 {
			l := attrs.(*Linear)
			if !l.Trans || l.W.packed.Load() {
				return 0
			}
			return 4 * int64(l.W.In) * int64(l.W.Out)
		},
		VJP: linearVJP,
		Samples: func(r *rand.Rand) []graph.Sample {
			w := NewWeight(random(r, 5*7), 7, 5)
			return []graph.Sample{
				{Attrs: &Linear{W: w, Bias: random(r, 5)}, In: [][]int{{2, 3, 7}}},
				{Attrs: &Linear{W: w, Trans: true}, In: [][]int{{4, 5}}},
				{Attrs: &Linear{W: w}, In: [][]int{{4, 7}, {4, 5}}},
			}
		},
	})
	// An activation or a residual sum behind a linear layer moves into the GEMM's epilogue, which computes them in
	// the same order with the same roundings.
	graph.RegisterFusion("linear+act", func(g *graph.Graph, id graph.ID, free func(graph.ID) bool) bool {
		n := g.Nodes[id]
		if n.Op.Name != "act" || n.Attrs.(*Act).kernel == kernel.ActNone {
			return false
		}
		p := g.Nodes[n.In[0]]
		if p.Op.Name != "linear" || p.Attrs.(*Linear).Act != nil || !free(n.In[0]) {
			return false
		}
		l := *p.Attrs.(*Linear)
		l.Act = n.Attrs.(*Act)
		g.Rewrite(id, "linear", &l, p.In...)
		return true
	})
	graph.RegisterFusion("linear+residual", func(g *graph.Graph, id graph.ID, free func(graph.ID) bool) bool {
		n := g.Nodes[id]
		if n.Op.Name != "add" {
			return false
		}
		for j, pid := range n.In {
			p := g.Nodes[pid]
			if p.Op.Name == "linear" && p.Attrs.(*Linear).Act == nil && len(p.In) == 1 && free(pid) && n.In[1-j] != pid {
				g.Rewrite(id, "linear", p.Attrs, p.In[0], n.In[1-j])
				return true
			}
		}
		return false
	})
}

func linearVJP(t *graph.Tape, n, dy graph.ID) []graph.ID {
	node := t.G.Nodes[n]
	l := node.Attrs.(*Linear)
	if l.Act != nil {
		panic("op: linear with a fused activation has no reverse rule")
	}
	dx := t.G.Add("linear", &Linear{W: l.W, Trans: !l.Trans}, "", dy)
	return []graph.ID{dx, dy}[:len(node.In)]
}

func runLinear(c *graph.Call) {
	l := c.Attrs.(*Linear)
	m, n := rows(c.Shape)
	k, _ := l.dims()
	slabs(c, m, slabRows, k*n, func(lo, hi int) {
		kernel.Gemm(c.Threads, hi-lo, c.In[0].F[lo*k:], k, l.W.panel(l.Trans), c.Out[lo*n:], n, l.epilogue(c, lo*n))
	})
}

// runLinears is one product over the columns of all weights: queries, keys and values of an attention.
func runLinears(calls []*graph.Call) {
	c := calls[0]
	k, _ := c.Attrs.(*Linear).dims()
	columns := 0
	for _, c := range calls {
		_, n := c.Attrs.(*Linear).dims()
		columns += n
	}
	products := make([]kernel.Product, len(calls))
	slabs(c, len(c.In[0].F)/k, slabRows, k*columns, func(lo, hi int) {
		for i, c := range calls {
			l := c.Attrs.(*Linear)
			_, n := l.dims()
			products[i] = kernel.Product{B: l.W.panel(l.Trans), C: c.Out[lo*n:], Epilogue: l.epilogue(c, lo*n)}
		}
		kernel.GemmMany(c.Threads, hi-lo, c.In[0].F[lo*k:], k, products...)
	})
}

// slabRows is the least number of rows of a product that runs at full speed.
const slabRows = 144

// epilogue is what follows the product, for results from element first on.
func (l *Linear) epilogue(c *graph.Call, first int) kernel.Epilogue {
	ep := kernel.Epilogue{Bias: l.Bias}
	if len(c.In) > 1 {
		ep.Residual = c.In[1].F[first:]
	}
	if l.Act != nil {
		ep.Act = l.Act.kernel
	}
	return ep
}

func random(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}
