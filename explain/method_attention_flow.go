package explain

import (
	"context"
	"fmt"

	"vitrine/inference"
)

// maxFlow is the longest text whose attention flow is computed: the work grows with its fifth power.
const maxFlow = 64

// Attention flow (Abnar & Zuidema 2020): the largest flow from a position of the last layer to each input position
// through the graph whose capacities are (mean of the heads + I) with normalised rows; the flows are divided by their sum.
func init() {
	register(Method{
		ID: "attention-flow", Version: "1", Family: "attention", Modalities: []string{"text", "image"},
		Params:   append(targetParams(), baselineParam(), rowParam()),
		Suitable: attentive,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runAttentionFlow,
	})
}

func runAttentionFlow(ctx context.Context, p *Problem) (*Attribution, error) {
	if t := len(p.Example.IDs); t > maxFlow {
		return nil, fmt.Errorf("explain: attention-flow: %d tokens, at most %d can be computed; use attention-rollout: %w", t, maxFlow, ErrUnsuitable)
	}
	a, err := p.attentions(ctx, true)
	if err != nil {
		return nil, err
	}
	if a.t > maxFlow+1 { // a picture's patches and its class token
		return nil, fmt.Errorf("explain: attention-flow: %d patches, at most %d can be computed; use attention-rollout: %w", a.t-1, maxFlow, ErrUnsuitable)
	}
	layers := make([][]float64, len(a.probs))
	for l := range layers {
		layers[l] = a.rolloutLayer(l)
	}
	values := make([]float64, a.t)
	total := 0.0
	for j := range values {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("explain: attention-flow: %w", err)
		}
		values[j] = newFlow(layers, a.t).largest(len(layers)*a.t+a.row, j)
		total += values[j]
	}
	for j := range values {
		if total > 0 {
			values[j] /= total
		}
	}
	return p.overTokens(values, a.relevanceRow(), a), nil
}

// flow is a network of layers of nodes: node l·t+i is position i after l layers; edges run from a layer to the one below.
type flow struct {
	t        int
	capacity [][]float64 // per layer (t,t): what is left from (l+1,i) to (l,j)
	back     [][]float64 // what may be sent back
	level    []int
	next     []int
}

func newFlow(layers [][]float64, t int) *flow {
	f := &flow{t: t, level: make([]int, (len(layers)+1)*t), next: make([]int, (len(layers)+1)*t)}
	for _, m := range layers {
		f.capacity = append(f.capacity, append([]float64(nil), m...))
		f.back = append(f.back, make([]float64, len(m)))
	}
	return f
}

// edge is what is left on edge e of node u, and its other end: first down to the t nodes below, then up to the t above.
func (f *flow) edge(u, e int) (left *float64, v int) {
	l, i := u/f.t, u%f.t
	if e < f.t {
		if l == 0 {
			return nil, 0
		}
		return &f.capacity[l-1][i*f.t+e], (l-1)*f.t + e
	}
	if e -= f.t; l == len(f.capacity) {
		return nil, 0
	}
	return &f.back[l][e*f.t+i], (l+1)*f.t + e
}

// largest is the value of the maximum flow (Dinic 1970). Every augmentation empties an edge, so it ends with exact zeros.
func (f *flow) largest(source, sink int) float64 {
	total := 0.0
	for f.reach(source, sink) {
		clear(f.next)
		for {
			sent := f.send(source, sink, 1e300)
			if sent == 0 {
				break
			}
			total += sent
		}
	}
	return total
}

// reach sets the levels of nodes that the source can still reach.
func (f *flow) reach(source, sink int) bool {
	for u := range f.level {
		f.level[u] = -1
	}
	f.level[source] = 0
	queue := []int{source}
	for len(queue) > 0 {
		u := queue[0]
		queue = queue[1:]
		for e := range 2 * f.t {
			if left, v := f.edge(u, e); left != nil && *left > 0 && f.level[v] < 0 {
				f.level[v] = f.level[u] + 1
				queue = append(queue, v)
			}
		}
	}
	return f.level[sink] >= 0
}

// send pushes at most limit along one path and gives what arrived.
func (f *flow) send(u, sink int, limit float64) float64 {
	if u == sink {
		return limit
	}
	for ; f.next[u] < 2*f.t; f.next[u]++ {
		left, v := f.edge(u, f.next[u])
		if left == nil || *left <= 0 || f.level[v] != f.level[u]+1 {
			continue
		}
		if sent := f.send(v, sink, min(limit, *left)); sent > 0 {
			*left -= sent
			*f.reverse(u, f.next[u]) += sent
			return sent
		}
	}
	return 0
}

// reverse is the edge that takes back what edge e of node u sends.
func (f *flow) reverse(u, e int) *float64 {
	l, i := u/f.t, u%f.t
	if e < f.t {
		return &f.back[l-1][i*f.t+e]
	}
	return &f.capacity[l][(e-f.t)*f.t+i]
}
