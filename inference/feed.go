package inference

import (
	"fmt"
	"slices"

	"vitrine/inference/family"
	"vitrine/inference/graph"
)

// feeds gathers the inputs of a chunk: the examples and, behind them, their references.
func (r *request) feeds(p *compiled, k key, members []int) (map[string]graph.Value, error) {
	examples := make([]*Example, 0, 2*len(members))
	for _, i := range members {
		examples = append(examples, &r.batch[i])
	}
	if p.paired {
		for _, i := range members {
			examples = append(examples, &r.spec.References[i])
		}
	}
	feeds := map[string]graph.Value{}
	if r.quantity != "" {
		seed := make([]float32, len(examples))
		for i := range seed {
			seed[i] = 1
		}
		feeds[feedSeed] = graph.Value{F: seed}
	}
	if r.m.desc.Modality == "image" {
		feeds[family.FeedPixels] = graph.Value{F: join(examples, func(e *Example) []float32 { return e.Pixels })}
	} else {
		feeds[family.FeedTypes] = graph.Value{I: join(examples, func(e *Example) []int32 {
			if e.Types == nil {
				return make([]int32, k.t)
			}
			return e.Types
		})}
		if k.s > 0 {
			feeds[family.FeedDecoder] = graph.Value{I: join(examples, r.m.decoder)}
		}
		if k.words {
			feeds[feedWords] = graph.Value{F: join(examples, func(e *Example) []float32 { return e.Embeddings })}
		} else {
			feeds[family.FeedIDs] = graph.Value{I: join(examples, func(e *Example) []int32 { return e.IDs })}
		}
	}
	return feeds, r.patches(feeds, p, examples)
}

// join appends what get gives of every example; of a single one it is not copied.
func join[T any](examples []*Example, get func(*Example) []T) []T {
	if len(examples) == 1 {
		return get(examples[0])
	}
	var out []T
	for _, e := range examples {
		out = append(out, get(e)...)
	}
	return out
}

// patches adds the values written over taps: an example's own, or the one for all of them.
func (r *request) patches(feeds map[string]graph.Value, p *compiled, examples []*Example) error {
	for name, id := range p.patched {
		shape := p.callerShape(id)
		all := make([]float32, 0, graph.Size(shape)*len(examples))
		for _, e := range examples {
			t, ok := e.Patch[name]
			if !ok {
				t = r.spec.Patch[name]
			}
			if !slices.Equal(t.Shape, shape) || len(t.Data) != graph.Size(shape) {
				return fmt.Errorf("inference: %w: the value written to %q has shape %v (%d numbers), expected %v", ErrInput, name, t.Shape, len(t.Data), shape)
			}
			if err := finite("values written to "+name, t.Data); err != nil {
				return fmt.Errorf("inference: %w", err)
			}
			if p.built.ChannelsLast[id] {
				all = append(all, channelsLast(t.Data, shape)...)
			} else {
				all = append(all, t.Data...)
			}
		}
		feeds[feedPatch+name] = graph.Value{F: all}
	}
	return nil
}
