package inference

import (
	"container/list"
	"fmt"
	"slices"
	"strings"
	"sync"

	"vitrine/inference/family"
	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// maxPlans bounds the compiled plans that a model keeps; the least recently used goes first.
const maxPlans = 64

// compiled is a plan with the places of everything a caller asked for.
type compiled struct {
	plan     *graph.Plan
	built    *family.Built
	output   graph.ID
	outShape []int // of one example
	scalar   graph.ID
	taps     []graph.ID
	wrt      []graph.ID
	grads    []graph.ID
	patched  map[string]graph.ID
	paired   bool // the second half of the batch are references
	row      bool // the target is read from one row of the output, computed for it
}

type planCache struct {
	mu    sync.Mutex
	order list.List // of *cachedPlan, most recently used first
	byKey map[planKey]*list.Element
}

type cachedPlan struct {
	key  planKey
	plan *compiled
}

func (c *planCache) get(key planKey) *compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil {
		c.order.MoveToFront(e)
		return e.Value.(*cachedPlan).plan
	}
	return nil
}

func (c *planCache) put(key planKey, p *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[planKey]*list.Element{}
	}
	if c.byKey[key] != nil {
		return
	}
	c.byKey[key] = c.order.PushFront(&cachedPlan{key, p})
	for c.order.Len() > maxPlans {
		last := c.order.Back()
		delete(c.byKey, c.order.Remove(last).(*cachedPlan).key)
	}
}

func (c *planCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	c.byKey = nil
}

// question is what a plan is compiled for.
type question struct {
	key
	batch    int // references included
	quantity string
	taps     []string
	wrt      []string
	rule     *op.Rule
	patches  []string
	width    int  // targets differentiated at a time, 0 for one target
	again    bool // values are computed again in the reverse pass
	row      bool // every target lies in one row of the output
}

// planKey is a question as the key of a map.
type planKey struct {
	key
	batch, width int
	quantity     string
	rule         *op.Rule
	again, row   bool
	names        string
}

func (q *question) id() planKey {
	id := planKey{key: q.key, batch: q.batch, width: q.width, quantity: q.quantity, rule: q.rule, again: q.again, row: q.row}
	if len(q.taps)+len(q.wrt)+len(q.patches) > 0 {
		id.names = fmt.Sprintf("%q%q%q", q.taps, q.wrt, q.patches)
	}
	return id
}

// plan returns the compiled plan for a question.
func (m *Model) plan(q question) (*compiled, error) {
	id := q.id()
	if p := m.plans.get(id); p != nil {
		return p, nil
	}
	// A lean graph lacks the last layer's taps; whoever asks for one gets the full graph.
	p, err := m.compile(q, true)
	if err == nil && p == nil {
		p, err = m.compile(q, false)
	}
	if err != nil {
		return nil, err
	}
	m.plans.put(id, p)
	return p, nil
}

// compile builds and compiles one graph; nil without an error means that the lean graph lacks a name.
func (m *Model) compile(q question, lean bool) (*compiled, error) {
	built, err := m.net.Build(family.Shape{B: q.batch, T: q.t, S: q.s, C: q.c, H: q.h, W: q.w}, lean)
	if err != nil {
		return nil, fmt.Errorf("inference: %w", classify(err))
	}
	g := built.G
	c := &compiled{built: built, output: built.Output, patched: map[string]graph.ID{}, scalar: graph.None, paired: q.rule != nil && q.rule.Paired}
	c.outShape = g.Shape(c.output)[1:]
	if ok, err := m.find(c, q, lean); !ok {
		return nil, err
	}
	if q.words {
		g.Replace(built.Words, feedWords)
	}
	for name, id := range c.patched {
		g.Replace(id, feedPatch+name)
	}
	keep := append([]graph.ID{c.output}, c.taps...)
	var rounds graph.Rounds
	if q.quantity != "" {
		c.scalar = addTarget(g, c.targetRow(q), q.quantity)
		keep = append(keep, c.scalar)
	}
	if q.width > 0 {
		rounds = graph.Rounds{Varying: []string{feedIndex, feedWeight, feedRow}, Width: q.width}
	}
	if len(c.wrt) > 0 {
		seed := g.Input(feedSeed, q.batch)
		tape := &graph.Tape{G: g}
		if q.rule != nil {
			tape.Rules = q.rule.Rules
		}
		if q.again {
			tape.Keep = m.kept(c)
		}
		if c.grads, err = tape.Backward(map[graph.ID]graph.ID{c.scalar: seed}, c.wrt); err != nil {
			return nil, fmt.Errorf("inference: differentiating: %w", err)
		}
		for _, id := range c.grads {
			if id != graph.None {
				keep = append(keep, id)
			}
		}
	}
	c.plan, err = graph.CompileRounds(g, keep, !m.unfused, rounds)
	if err != nil {
		return nil, fmt.Errorf("inference: compiling: %w", classify(err))
	}
	return c, nil
}

// find resolves the names of a question; not ok without an error means that the lean graph lacks one.
func (m *Model) find(c *compiled, q question, lean bool) (ok bool, err error) {
	for _, list := range []struct {
		names []string
		ids   *[]graph.ID
		aside bool
	}{{q.taps, &c.taps, true}, {q.wrt, &c.wrt, false}, {q.patches, nil, false}} {
		for _, name := range list.names {
			id, ok := c.built.G.Find(name)
			if !ok || c.built.G.Nodes[id].Int || c.built.Aside[id] && !list.aside {
				if lean {
					return false, nil
				}
				if ok && c.built.Aside[id] {
					return false, fmt.Errorf("inference: %w: %.80q can be read, but not written or differentiated: a normalisation is folded into the weights before it; take the value behind the normalisation", ErrInput, name)
				}
				return false, fmt.Errorf("inference: %w: this model has no value named %.80q; it has %s", ErrInput, name, examples(m.info.Taps))
			}
			if list.ids != nil {
				*list.ids = append(*list.ids, id)
			} else {
				c.patched[name] = id
			}
		}
	}
	return true, nil
}

// examples names some taps for an error message.
func examples(t Taps) string {
	var names []string
	for _, n := range []string{t.Embeddings, t.Pixels} {
		if n != "" {
			names = append(names, n)
		}
	}
	for _, list := range [][]string{t.Hidden, t.Attentions, t.Features} {
		if len(list) > 0 {
			names = append(names, list[0], list[len(list)-1])
		}
	}
	return strings.Join(slices.Compact(names), ", ")
}

// callerShape is the shape of one example's value as callers see it.
func (c *compiled) callerShape(id graph.ID) []int {
	s := slices.Clone(c.built.G.Shape(id)[1:])
	if c.built.ChannelsLast[id] {
		s[0], s[1], s[2] = s[2], s[0], s[1]
	}
	return s
}

// example copies example b of a value, channels first where callers see it so; like is the node whose layout counts.
func (c *compiled) example(v graph.Value, b int, like graph.ID) Tensor {
	shape := c.callerShape(like)
	n := graph.Size(shape)
	data := v.F[b*n : (b+1)*n]
	if c.built.ChannelsLast[like] {
		return Tensor{shape, channelsFirst(data, shape)}
	}
	return Tensor{shape, slices.Clone(data)}
}

// gradient copies the gradient with respect to wrt[j]: zeros where the target does not depend on it.
func (c *compiled) gradient(value func(graph.ID) graph.Value, b, j int) Tensor {
	if c.grads[j] == graph.None {
		shape := c.callerShape(c.wrt[j])
		return Tensor{shape, make([]float32, graph.Size(shape))}
	}
	return c.example(value(c.grads[j]), b, c.wrt[j])
}

// channelsFirst copies (H,W,C) into (C,H,W); shape is the latter.
func channelsFirst(x []float32, shape []int) []float32 {
	c, n := shape[0], shape[1]*shape[2]
	out := make([]float32, len(x))
	for i := range n {
		for j := range c {
			out[j*n+i] = x[i*c+j]
		}
	}
	return out
}

// channelsLast is the inverse of channelsFirst; shape is (C,H,W).
func channelsLast(x []float32, shape []int) []float32 {
	c, n := shape[0], shape[1]*shape[2]
	out := make([]float32, len(x))
	for i := range n {
		for j := range c {
			out[i*c+j] = x[j*n+i]
		}
	}
	return out
}
