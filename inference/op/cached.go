package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// KV is what one sequence remembers: keys and values of its positions, page by page for each layer, and of an encoder's output for those that have one.
type KV struct {
	Self, Cross [][]*kernel.KVPage // [layer][page]
	Source      int                // positions of the encoder
}

// Place is where one row of a step belongs.
type Place struct {
	KV       *KV
	Position int
}

// Step names the place of every row of the run that is under way. It belongs to one runner, which fills it before each run of its own plans; such plans
// are not for concurrent use.
type Step struct{ Places []Place }

// CachedAttention is attention of new rows over what their sequences remember, after their own keys and values were added: H query heads of Width over KV
// key-value heads. Cross reads the encoder's keys instead, all of them. Cap and Bias need Scale 1.
type CachedAttention struct {
	Step         *Step
	Layer        int
	H, KV, Width int
	Scale        float32
	Window       int
	Cap          *SoftCap
	Bias         *RelativeBias
	Cross        bool
}

// cached_attention (q (1,N,H·Width), k, v (1,N,KV·Width)), or q alone across -> (1,N,H·Width). The bits are those of split_heads, matmul,
// causal_softmax, matmul and merge_heads over the whole sequence.
func init() {
	graph.Register(&graph.Op{
		Name: "cached_attention",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, q := attrs.(*CachedAttention), in[0]
			fits := len(q) == 3 && q[0] == 1 && q[2] == a.H*a.Width && a.H%a.KV == 0 && (len(in) == 1) == a.Cross
			for _, s := range in[1:] {
				fits = fits && equal(s, []int{1, q[1], a.KV * a.Width})
			}
			if !fits {
				return nil, fmt.Errorf("operands %v, %d heads of %d over %d", in, a.H, a.Width, a.KV)
			}
			return q, nil
		},
		Run:     runCached,
		Samples: cachedSamples,
	})
}

// queryUnit is how many rows of one sequence are computed together.
const queryUnit = 32

// stretch is a run of rows [lo,hi) of one sequence at consecutive positions.
type stretch struct{ lo, hi int }

// stretches cuts the rows of a step.
func (s *Step) stretches() []stretch {
	var out []stretch
	for i := 0; i < len(s.Places); {
		j := i + 1
		for j < len(s.Places) && j-i < queryUnit && s.Places[j].KV == s.Places[i].KV && s.Places[j].Position == s.Places[j-1].Position+1 {
			j++
		}
		out = append(out, stretch{i, j})
		i = j
	}
	return out
}

func runCached(c *graph.Call) {
	a := c.Attrs.(*CachedAttention)
	places := a.Step.Places
	if len(places) != c.Shape[1] {
		panic("op: cached_attention: the step has another number of rows")
	}
	if !a.Cross {
		d := a.KV * a.Width
		for i, p := range places {
			page := p.KV.Self[a.Layer][p.Position/kernel.PageTokens]
			page.Put(p.Position%kernel.PageTokens, c.In[1].F[i*d:(i+1)*d], c.In[2].F[i*d:(i+1)*d])
		}
	}
	units := a.Step.stretches()
	kernel.Parallel(c.Threads, len(units)*a.KV, func(u int) {
		a.attend(c, units[u/a.KV], u%a.KV)
	})
}

// attend computes the query heads of one key-value head for a stretch of rows.
func (a *CachedAttention) attend(c *graph.Call, s stretch, kv int) {
	p := a.Step.Places[s.lo]
	pages, group, d := p.KV.Self, a.H/a.KV, a.H*a.Width
	if a.Cross {
		pages = p.KV.Cross
	}
	keys := func(row int) kernel.Keys {
		if a.Cross {
			return kernel.Keys{Hi: p.KV.Source}
		}
		return visible(a.Step.Places[row].Position, a.Window)
	}
	if s.hi-s.lo == 1 { // the heads of a group are rows
		at := s.lo*d + kv*group*a.Width
		list := make([]kernel.Keys, group)
		for i := range list {
			list[i] = keys(s.lo)
		}
		adjust := a.adjust(func(row int) (h, position int) { return kv*group + row, p.Position })
		kernel.Attend(pages[a.Layer], kv, c.In[0].F[at:], a.Width, list, a.Scale, adjust, c.Out[at:], a.Width)
		return
	}
	list := make([]kernel.Keys, s.hi-s.lo)
	for i := range list {
		list[i] = keys(s.lo + i)
	}
	for h := kv * group; h < (kv+1)*group; h++ {
		at := s.lo*d + h*a.Width
		adjust := a.adjust(func(row int) (int, int) { return h, p.Position + row })
		kernel.Attend(pages[a.Layer], kv, c.In[0].F[at:], d, list, a.Scale, adjust, c.Out[at:], d)
	}
}

// adjust is what happens to scores before the softmax, nil for nothing.
func (a *CachedAttention) adjust(at func(row int) (head, position int)) func(row, from int, scores []float32) {
	switch {
	case a.Cap != nil:
		return func(_, _ int, scores []float32) { a.Cap.apply(scores) }
	case a.Bias != nil:
		return func(row, from int, scores []float32) {
			h, position := at(row)
			a.Bias.add(scores, h, position, from)
		}
	}
	return nil
}

func cachedSamples(r *rand.Rand) []graph.Sample {
	kv := func(heads, width int) *KV {
		page := func() [][]*kernel.KVPage { return [][]*kernel.KVPage{{kernel.NewKVPage(heads, width)}} }
		return &KV{Self: page(), Cross: page(), Source: 5}
	}
	rows := func(list ...*KV) *Step {
		s, next := &Step{}, map[*KV]int{}
		for _, k := range list {
			s.Places = append(s.Places, Place{k, next[k]})
			next[k]++
		}
		return s
	}
	a, b, e, f := kv(2, 3), kv(2, 3), kv(1, 4), kv(1, 4)
	for i := range f.Source {
		f.Cross[0][0].Put(i, random(r, 4), random(r, 4))
	}
	return []graph.Sample{
		{Attrs: &CachedAttention{Step: rows(a, a, b, a, b), H: 4, KV: 2, Width: 3, Scale: 0.5, Window: 2}, In: [][]int{{1, 5, 12}, {1, 5, 6}, {1, 5, 6}}},
		{Attrs: &CachedAttention{Step: rows(e, e, e, e), H: 2, KV: 1, Width: 4, Scale: 1, Cap: &SoftCap{0.5, 3}}, In: [][]int{{1, 4, 8}, {1, 4, 4}, {1, 4, 4}}},
		{Attrs: &CachedAttention{Step: rows(e, e, e), H: 2, KV: 1, Width: 4, Scale: 1, Bias: &RelativeBias{4, 2, 4, false, random(r, 8)}}, In: [][]int{{1, 3, 8}, {1, 3, 4}, {1, 3, 4}}},
		{Attrs: &CachedAttention{Step: rows(f, f), H: 2, KV: 1, Width: 4, Scale: 0.5, Cross: true}, In: [][]int{{1, 2, 8}}},
	}
}
