package generate

import (
	"context"
	"fmt"
	"sync"

	"vitrine/inference/family"
	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// sourcePlans holds compiled encoders by length; a few, because each length is a graph of its own.
type sourcePlans struct {
	mu    sync.Mutex
	plans map[int]*sourcePlan
}

const maxSources = 8

type sourcePlan struct {
	plan         *graph.Plan
	keys, values []graph.ID
}

func (e *Engine) sourcePlan(t int) (*sourcePlan, error) {
	e.sources.mu.Lock()
	defer e.sources.mu.Unlock()
	if p := e.sources.plans[t]; p != nil {
		return p, nil
	}
	g, keys, values, err := e.net.BuildSource(t)
	if err != nil {
		return nil, fmt.Errorf("generate: building the encoder: %w", err)
	}
	plan, err := graph.Compile(g, append(append([]graph.ID{}, keys...), values...), true)
	if err != nil {
		return nil, fmt.Errorf("generate: compiling the encoder: %w", err)
	}
	if len(e.sources.plans) >= maxSources || e.sources.plans == nil {
		e.sources.plans = map[int]*sourcePlan{}
	}
	p := &sourcePlan{plan, keys, values}
	e.sources.plans[t] = p
	return p, nil
}

// read runs the encoder over source and puts each decoder layer's keys and values of it into the sequence.
func (e *Engine) read(ctx context.Context, s *sequence, source []int32, threads int) error {
	p, err := e.sourcePlan(len(source))
	if err != nil {
		return err
	}
	feeds := map[string]graph.Value{family.FeedIDs: {I: source}}
	return p.plan.Run(ctx, feeds, threads, func(value func(graph.ID) graph.Value) {
		d := e.cache.Heads * e.cache.Width
		s.kv.Source = len(source)
		s.kv.Cross = make([][]*kernel.KVPage, e.cache.Layers)
		for l := range s.kv.Cross {
			k, v := value(p.keys[l]).F, value(p.values[l]).F
			for i := range source {
				if i%kernel.PageTokens == 0 {
					s.kv.Cross[l] = append(s.kv.Cross[l], kernel.NewKVPage(e.cache.Heads, e.cache.Width))
				}
				s.kv.Cross[l][i/kernel.PageTokens].Put(i%kernel.PageTokens, k[i*d:(i+1)*d], v[i*d:(i+1)*d])
			}
		}
	})
}
