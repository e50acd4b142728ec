package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitrine/inference/family"
	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// Limits of one run. An arena beyond softArena is avoided by running the batch in chunks; one example that needs more
// than hardArena is refused.
const (
	softArena = 48 << 20
	hardArena = 4 << 30
	maxBatch  = 4096
)

// Feed names beside those of the families.
const (
	feedWords  = "words written over"
	feedIndex  = "target index"
	feedWeight = "target weight"
	feedSeed   = "target cotangent"
	feedPatch  = "patch "
)

// Run computes outputs, taps and gradients of a batch. Examples may differ in length; each result is bit-identical
// whatever else is in the batch, for any thread count and CPU level. A long batch runs in chunks. Errors wrap ErrInput
// (an id, index, tap or shape that the model does not have) or the context's error.
func (m *Model) Run(ctx context.Context, batch []Example, spec RunSpec) (results []Result, err error) {
	// Kernels panic on programmer errors, with constant text; this is the edge where they become errors.
	defer func() {
		if r := recover(); r != nil {
			results, err = nil, fmt.Errorf("inference: internal error: %v", r)
		}
	}()
	if len(batch) == 0 || len(batch) > maxBatch {
		return nil, fmt.Errorf("inference: %w: a batch of %d examples; 1 to %d are possible", ErrInput, len(batch), maxBatch)
	}
	if spec.Target == nil && len(spec.Wrt) > 0 {
		return nil, fmt.Errorf("inference: %w: gradients need a target", ErrInput)
	}
	targets := make([]Target, len(batch))
	if spec.Target != nil {
		if targets, err = m.targets(ctx, batch, spec); err != nil {
			return nil, err
		}
	}
	groups := map[key][]int{}
	var order []key
	for i := range batch {
		k, err := m.check(&batch[i])
		if err != nil {
			return nil, fmt.Errorf("inference: example %d: %w", i, err)
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	results = make([]Result, len(batch))
	for _, k := range order {
		if err := m.runGroup(ctx, k, batch, groups[k], targets, spec, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// key tells apart examples that need different graphs.
type key struct {
	t, c, h, w int
	words      bool // word embeddings given
}

// check validates one example against the model.
func (m *Model) check(e *Example) (key, error) {
	if m.desc.Modality == "image" {
		if len(e.Shape) != 3 || e.Shape[0] != m.desc.ImageChannels || e.Shape[1] < 1 || e.Shape[2] < 1 || e.Shape[1] > 1<<14 || e.Shape[2] > 1<<14 ||
			graph.Size(e.Shape) != len(e.Pixels) {
			return key{}, fmt.Errorf("%w: %d pixels of shape %v, the model takes (%d,H,W)", ErrInput, len(e.Pixels), e.Shape, m.desc.ImageChannels)
		}
		return key{c: e.Shape[0], h: e.Shape[1], w: e.Shape[2]}, nil
	}
	t := len(e.IDs)
	if e.Embeddings != nil {
		if len(e.Embeddings)%m.desc.Hidden != 0 || t > 0 && len(e.Embeddings) != t*m.desc.Hidden {
			return key{}, fmt.Errorf("%w: %d embedding values do not fit %d tokens of width %d", ErrInput, len(e.Embeddings), t, m.desc.Hidden)
		}
		t = len(e.Embeddings) / m.desc.Hidden
	}
	if t < 1 || t > m.desc.MaxTokens {
		return key{}, fmt.Errorf("%w: %d tokens, the model takes 1 to %d", ErrInput, t, m.desc.MaxTokens)
	}
	for _, id := range e.IDs {
		if id < 0 || int(id) >= m.desc.Vocab {
			return key{}, fmt.Errorf("%w: id %d outside the vocabulary of %d", ErrInput, id, m.desc.Vocab)
		}
	}
	if e.Types != nil && len(e.Types) != t {
		return key{}, fmt.Errorf("%w: %d token types for %d tokens", ErrInput, len(e.Types), t)
	}
	for _, id := range e.Types {
		if id < 0 || int(id) >= m.desc.Types {
			return key{}, fmt.Errorf("%w: token type %d, the model has %d", ErrInput, id, m.desc.Types)
		}
	}
	return key{t: t, words: e.Embeddings != nil}, nil
}

// runGroup runs examples of one shape, in chunks that keep the arena small.
func (m *Model) runGroup(ctx context.Context, k key, batch []Example, members []int, targets []Target, spec RunSpec, results []Result) error {
	size := len(members)
	for {
		p, err := m.plan(k, size, spec)
		if errors.Is(err, graph.ErrTooLarge) && size > 1 {
			size /= 2
			continue
		}
		if err != nil {
			return err
		}
		if p.plan.Bytes() > softArena && size > 1 {
			size = max(1, min(size-1, int(int64(size)*softArena/p.plan.Bytes())))
			continue
		}
		if p.plan.Bytes() > hardArena {
			return fmt.Errorf("inference: %w: one example would take %d MiB of memory, the limit is %d; use a shorter text or a smaller picture",
				ErrInput, p.plan.Bytes()>>20, int64(hardArena)>>20)
		}
		break
	}
	for len(members) > 0 {
		n := min(size, len(members))
		p, err := m.plan(k, n, spec)
		if err != nil {
			return err
		}
		if err := m.runChunk(ctx, p, k, batch, members[:n], targets, spec, results); err != nil {
			return err
		}
		members = members[n:]
	}
	return nil
}

// runChunk fills the feeds, runs the plan and copies out what was asked for.
func (m *Model) runChunk(ctx context.Context, p *compiled, k key, batch []Example, members []int, targets []Target, spec RunSpec, results []Result) error {
	feeds, err := m.feeds(p, k, batch, members, spec)
	if err != nil {
		return err
	}
	if spec.Target != nil {
		index := make([]int32, len(members)*op.Picks)
		weight := make([]float32, len(members)*op.Picks)
		for b, i := range members {
			if err := m.fillTarget(targets[i], p.outShape, index[b*op.Picks:], weight[b*op.Picks:]); err != nil {
				return err
			}
		}
		seed := make([]float32, len(members))
		for i := range seed {
			seed[i] = 1
		}
		feeds[feedIndex], feeds[feedWeight], feeds[feedSeed] = graph.Value{I: index}, graph.Value{F: weight}, graph.Value{F: seed}
	}
	finite := true
	err = p.plan.Run(ctx, feeds, spec.Threads, func(value func(graph.ID) graph.Value) {
		for b, i := range members {
			r := Result{Output: p.example(value(p.output), b, p.output)}
			finite = finite && allFinite(r.Output.Data)
			if spec.Target != nil {
				r.Value = float64(value(p.scalar).F[b])
			}
			if len(spec.Taps) > 0 {
				r.Taps = make(map[string]Tensor, len(spec.Taps))
				for j, name := range spec.Taps {
					r.Taps[name] = p.example(value(p.taps[j]), b, p.taps[j])
				}
			}
			if len(spec.Wrt) > 0 {
				r.Grads = make(map[string]Tensor, len(spec.Wrt))
				for j, name := range spec.Wrt {
					r.Grads[name] = p.gradient(value, b, j)
				}
			}
			results[i] = r
		}
	})
	switch {
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("inference: running: %w", err)
	case err == nil && !finite:
		return fmt.Errorf("inference: %w: the output is not a finite number; the checkpoint overflows on this input", ErrModel)
	}
	return err
}

func allFinite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// feeds gathers the inputs of a chunk.
func (m *Model) feeds(p *compiled, k key, batch []Example, members []int, spec RunSpec) (map[string]graph.Value, error) {
	feeds := map[string]graph.Value{}
	if m.desc.Modality == "image" {
		var px []float32
		for _, i := range members {
			px = append(px, batch[i].Pixels...)
		}
		feeds[family.FeedPixels] = graph.Value{F: px}
	} else {
		types := make([]int32, 0, len(members)*k.t)
		var ids []int32
		var words []float32
		for _, i := range members {
			if batch[i].Types != nil {
				types = append(types, batch[i].Types...)
			} else {
				types = append(types, make([]int32, k.t)...)
			}
			ids = append(ids, batch[i].IDs...)
			words = append(words, batch[i].Embeddings...)
		}
		feeds[family.FeedTypes] = graph.Value{I: types}
		if k.words {
			feeds[feedWords] = graph.Value{F: words}
		} else {
			feeds[family.FeedIDs] = graph.Value{I: ids}
		}
	}
	for name, t := range spec.Patch {
		id := p.patched[name]
		shape := p.callerShape(id)
		if !slices.Equal(t.Shape, shape) || len(t.Data) != graph.Size(shape) {
			return nil, fmt.Errorf("inference: %w: the value written to %q has shape %v (%d numbers), expected %v", ErrInput, name, t.Shape, len(t.Data), shape)
		}
		one := t.Data
		if p.built.ChannelsLast[id] {
			one = channelsLast(t.Data, shape)
		}
		all := make([]float32, 0, len(one)*len(members))
		for range members {
			all = append(all, one...)
		}
		feeds[feedPatch+name] = graph.Value{F: all}
	}
	return feeds, nil
}
