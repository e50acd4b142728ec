package inference

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// Limits of one run. An arena beyond softArena is avoided by running the batch in chunks: caches work better below it.
const (
	softArena = 48 << 20
	maxBatch  = 4096
)

// Several targets are pulled back together while their tokens (of a picture, its patches) are fewer than wideRows: products of
// fewer rows wait for their weights.
const (
	wideRows    = 512
	patchPixels = 16 * 16
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
	if err := m.digesting.failure(); err != nil {
		return nil, err
	}
	r, err := m.prepare(ctx, batch, spec)
	if err != nil {
		return nil, err
	}
	groups := map[key][]int{}
	var order []key
	for i := range batch {
		k, err := m.check(&batch[i])
		if err != nil {
			return nil, fmt.Errorf("inference: example %d: %w", i, err)
		}
		if r.rule != nil && r.rule.Paired {
			if other, err := m.check(&spec.References[i]); err != nil || other != k {
				return nil, fmt.Errorf("inference: %w: reference %d is no input of example %d's shape", ErrInput, i, i)
			}
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	for _, k := range order {
		if err := r.group(ctx, k, groups[k]); err != nil {
			return nil, err
		}
	}
	return r.results, nil
}

// request is one call of Run.
type request struct {
	m         *Model
	batch     []Example
	spec      RunSpec
	quantity  string
	rule      *op.Rule
	predicted [][]int
	results   []Result
}

// prepare checks what does not depend on the examples' shapes, and finds the predicted classes where targets need them.
func (m *Model) prepare(ctx context.Context, batch []Example, spec RunSpec) (*request, error) {
	if len(batch) == 0 || len(batch) > maxBatch {
		return nil, fmt.Errorf("inference: %w: a batch of %d examples; 1 to %d are possible", ErrInput, len(batch), maxBatch)
	}
	r := &request{m: m, batch: batch, spec: spec, results: make([]Result, len(batch))}
	var err error
	if r.quantity, err = spec.quantity(); err != nil {
		return nil, err
	}
	if r.quantity == "" && len(spec.Wrt) > 0 {
		return nil, fmt.Errorf("inference: %w: gradients need a target", ErrInput)
	}
	if spec.Rule != "" {
		if r.rule, err = op.FindRule(spec.Rule); err != nil {
			return nil, fmt.Errorf("inference: %w: %w", ErrInput, err)
		}
	}
	references := 0
	if r.rule != nil && r.rule.Paired {
		references = len(batch)
	}
	if len(spec.References) != references {
		return nil, fmt.Errorf("inference: %w: %d references where rule %q takes %d", ErrInput, len(spec.References), spec.Rule, references)
	}
	r.predicted, err = m.predicted(ctx, batch, spec)
	return r, err
}

// key tells apart examples that need different graphs.
type key struct {
	t, s, c, h, w int
	words         bool   // word embeddings given
	patch         string // names of the taps written over for single examples
}

// check validates one example against the model; the values of its patch wait for the graph.
func (m *Model) check(e *Example) (key, error) {
	k, err := m.shape(e)
	if err == nil {
		err = finite("pixels", e.Pixels)
	}
	if err == nil {
		err = finite("embeddings", e.Embeddings)
	}
	k.patch = strings.Join(slices.Sorted(maps.Keys(e.Patch)), "\x00")
	return k, err
}

func (m *Model) shape(e *Example) (key, error) {
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
	s, err := m.decoderShape(e)
	return key{t: t, s: s, words: e.Embeddings != nil}, err
}

// question is what n examples of one key ask.
func (r *request) question(k key, n int, save saving) question {
	q := question{key: k, again: save >= saveValues, batch: n, quantity: r.quantity, taps: r.spec.Taps, wrt: r.spec.Wrt, rule: r.rule, row: r.spec.oneRow()}
	if targets := len(r.spec.Targets); targets > 1 && save >= saveRounds {
		q.width = 1
	} else if targets > 1 {
		q.width = min(targets, max(1, wideRows/(n*max(1, k.t, k.s, k.h*k.w/patchPixels))))
	}
	if r.rule != nil && r.rule.Paired {
		q.batch *= 2
	}
	q.patches = slices.Sorted(maps.Keys(r.spec.Patch))
	if k.patch != "" {
		q.patches = append(q.patches, strings.Split(k.patch, "\x00")...)
		slices.Sort(q.patches)
		q.patches = slices.Compact(q.patches)
	}
	return q
}

// group runs examples of one key, in chunks that keep the arena small and the memory within the limit.
func (r *request) group(ctx context.Context, k key, members []int) error {
	size, save, err := r.fit(k, len(members))
	if err != nil {
		return err
	}
	for len(members) > 0 {
		n := min(size, len(members))
		p, err := r.m.plan(r.question(k, n, save))
		if err != nil {
			return err
		}
		broken, err := r.chunk(ctx, p, k, members[:n])
		if err == nil && broken >= 0 {
			err = r.overflow(ctx, k, broken)
		}
		if err != nil {
			return err
		}
		members = members[n:]
	}
	return nil
}

// chunk fills the feeds, runs the plan and copies out what was asked for. It waits while other runs leave too little
// memory. broken is an example whose output is not finite, or -1.
func (r *request) chunk(ctx context.Context, p *compiled, k key, members []int) (broken int, err error) {
	feeds, err := r.feeds(p, k, members)
	if err != nil {
		return -1, err
	}
	rounds, err := r.m.rounds(p, members, r.spec, r.predicted)
	if err != nil {
		return -1, err
	}
	need := p.estimate(len(rounds))
	if err := memory.take(ctx, need, r.limit()); err != nil {
		return -1, err
	}
	defer memory.give(need)
	broken = -1
	err = p.plan.RunEach(ctx, feeds, rounds, r.spec.Threads, func(round int, value func(graph.ID) graph.Value) {
		for b, i := range members {
			if round == 0 {
				r.results[i] = p.result(value, b, r.spec)
				if !allFinite(r.results[i].Output.Data) {
					broken = i
				}
			}
			if r.quantity != "" {
				pull := Pull{Value: float64(value(p.scalar).F[b]), Grads: p.gradients(value, b, r.spec)}
				if r.spec.Target != nil {
					r.results[i].Value, r.results[i].Grads = pull.Value, pull.Grads
				} else {
					r.results[i].Each = append(r.results[i].Each, pull)
				}
			}
		}
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("inference: running: %w", err)
	}
	return broken, err
}

// result copies the output and the taps of example b.
func (c *compiled) result(value func(graph.ID) graph.Value, b int, spec RunSpec) Result {
	r := Result{Output: c.example(value(c.output), b, c.output)}
	if len(spec.Taps) > 0 {
		r.Taps = make(map[string]Tensor, len(spec.Taps))
		for j, name := range spec.Taps {
			r.Taps[name] = c.example(value(c.taps[j]), b, c.taps[j])
		}
	}
	return r
}

// gradients copies the gradients of example b.
func (c *compiled) gradients(value func(graph.ID) graph.Value, b int, spec RunSpec) map[string]Tensor {
	if len(spec.Wrt) == 0 {
		return nil
	}
	out := make(map[string]Tensor, len(spec.Wrt))
	for j, name := range spec.Wrt {
		out[name] = c.gradient(value, b, j)
	}
	return out
}
