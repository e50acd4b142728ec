package graph

import (
	"context"
	"fmt"
	"slices"
)

// Run executes the plan on the given inputs and calls read with a function that returns the value of an output.
// The values are valid until read returns. Inputs are read in place and never written. The context is looked at
// between nodes and, by ops, inside long ones.
func (p *Plan) Run(ctx context.Context, feeds map[string]Value, threads int, read func(value func(ID) Value)) error {
	return p.RunEach(ctx, nil, []map[string]Value{feeds}, threads, func(_ int, value func(ID) Value) { read(value) })
}

// RunEach executes the plan in rounds, which differ in the inputs that CompileRounds was told of: round k adds rounds[k] to
// feeds. What does not depend on them is computed once, in the first group of rounds, and kept. read is called for every
// round, in order. Each has the bits that it has alone.
func (p *Plan) RunEach(ctx context.Context, feeds map[string]Value, rounds []map[string]Value, threads int, read func(round int, value func(ID) Value)) error {
	arena := p.take()
	defer p.give(arena)
	r := &run{p, ctx, arena, threads, 0}
	steps := p.steps
	for k := 0; k < len(rounds); k += r.width {
		r.width = min(p.rounds.Width, len(rounds)-k)
		if err := r.bind(feeds, rounds[k:k+r.width]); err != nil {
			return err
		}
		for _, st := range steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.step(st); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for j := range r.width {
			read(k+j, func(id ID) Value { return r.block(id, j) })
		}
		steps = p.steps[p.first:]
	}
	return nil
}

// run is one execution; width is the number of rounds in the present group.
type run struct {
	*Plan
	ctx     context.Context
	arena   *arena
	threads int
	width   int
}

// bind gives the named inputs their values, and every computed value its place.
func (r *run) bind(feeds map[string]Value, group []map[string]Value) error {
	values := r.arena.values
	for i := range r.nodes {
		n := &r.nodes[i]
		switch {
		case n.Op == inputOp:
			v, ok := feeds[n.Name]
			size := Size(n.Shape)
			if r.wide[i] {
				size *= len(group)
				v, ok = gather(group, n.Name)
			} else if !ok {
				v, ok = group[0][n.Name]
			}
			if !ok {
				continue // not needed, or found missing later
			}
			if len(v.F)+len(v.I) != size || (v.I != nil) != n.Int {
				return fmt.Errorf("graph: input %q: %d values for shape %v", n.Name, len(v.F)+len(v.I), n.Shape)
			}
			values[i] = Value{Shape: n.Shape, F: v.F, I: v.I}
		case n.Op.View:
			values[i] = Value{Shape: n.Shape, F: values[n.In[0]].F}
		case r.place[i].n > 0:
			s := r.place[i]
			values[i] = Value{Shape: n.Shape, F: r.arena.floats[s.off : s.off+s.n : s.off+s.n]}
		}
	}
	return nil
}

// gather puts the values that the rounds of a group give an input one behind the other.
func gather(group []map[string]Value, name string) (v Value, ok bool) {
	if len(group) == 1 {
		v, ok = group[0][name]
		return v, ok
	}
	for _, feeds := range group {
		one, given := feeds[name]
		if !given {
			return v, false
		}
		v.F, v.I = append(v.F, one.F...), append(v.I, one.I...)
	}
	return v, true
}

// block is the value of a node in one round of the group.
func (r *run) block(id ID, round int) Value {
	v := r.arena.values[id]
	if !r.wide[id] {
		return v
	}
	n := Size(v.Shape)
	if v.I != nil {
		return Value{Shape: v.Shape, I: v.I[round*n : (round+1)*n]}
	}
	return Value{Shape: v.Shape, F: v.F[round*n : (round+1)*n : (round+1)*n]}
}

// all is the value of a wide node in all rounds of the group, as a longer batch.
func (r *run) all(id ID) Value {
	v := r.arena.values[id]
	shape := slices.Clone(v.Shape)
	shape[0] *= r.width
	return Value{Shape: shape, F: v.F[:r.width*Size(v.Shape)]}
}

// step runs the nodes of one step. A kernel whose operands do not fit panics with constant text; here that becomes an error
// that names the node.
func (r *run) step(st step) (err error) {
	first := st.nodes[0]
	n := &r.nodes[first]
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("graph: node %d %q (%s): %v", first, n.Name, n.Op.Name, p)
		}
	}()
	rounds := 1
	if r.wide[first] {
		rounds = r.width
	}
	together := rounds > 1 && r.asOne(first)
	if together {
		rounds = 1
	}
	for k := range rounds {
		calls, err := r.calls(st, k, together)
		if err != nil {
			return err
		}
		if len(calls) == 1 {
			n.Op.Run(calls[0])
		} else {
			n.Op.Together(calls)
		}
	}
	return nil
}

// calls fills the calls of a step's nodes, for one round of the group or for all together.
func (r *run) calls(st step, round int, together bool) ([]*Call, error) {
	a := r.arena
	value := func(id ID) Value {
		if together {
			return r.all(id)
		}
		return r.block(id, round)
	}
	for len(a.calls) < len(st.nodes) {
		a.calls = append(a.calls, &Call{})
	}
	calls := a.calls[:len(st.nodes)]
	for j, id := range st.nodes {
		n := &r.nodes[id]
		in := calls[j].In[:0]
		for _, id := range n.In {
			v := value(id)
			if v.F == nil && v.I == nil {
				return nil, fmt.Errorf("graph: input %q is missing", r.nodes[id].Name)
			}
			in = append(in, v)
		}
		out := value(id)
		*calls[j] = Call{Attrs: n.Attrs, In: in, Out: out.F, Shape: out.Shape, Threads: r.threads, Ctx: r.ctx}
	}
	return calls, nil
}
