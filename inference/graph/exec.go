package graph

import (
	"context"
	"fmt"
)

// Run executes the plan on the given inputs and calls read with a function that returns the value of an output.
// The values are valid until read returns. Inputs are read in place and never written. The context is looked at
// between nodes and, by ops, inside long ones.
func (p *Plan) Run(ctx context.Context, feeds map[string]Value, threads int, read func(value func(ID) Value)) error {
	return p.RunEach(ctx, feeds, []map[string]Value{nil}, threads, func(_ int, value func(ID) Value) { read(value) })
}

// RunEach executes the plan in rounds, which differ in the inputs that Compile was told to vary: round k adds rounds[k] to
// feeds. What does not depend on them is computed once, in the first round, and kept. read is called after every round.
func (p *Plan) RunEach(ctx context.Context, feeds map[string]Value, rounds []map[string]Value, threads int, read func(round int, value func(ID) Value)) error {
	arena := p.take()
	defer p.give(arena)
	values := arena.values
	if err := p.bind(values, arena.floats, feeds); err != nil {
		return err
	}
	steps := p.steps
	for k, varying := range rounds {
		if len(varying) > 0 {
			if err := p.bind(values, arena.floats, varying); err != nil {
				return err
			}
		}
		for _, st := range steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.step(ctx, st, values, arena, threads); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		read(k, func(id ID) Value { return values[id] })
		steps = p.steps[p.first:]
	}
	return nil
}

// bind gives the named inputs their values, and every computed value its place.
func (p *Plan) bind(values []Value, arena []float32, feeds map[string]Value) error {
	for i := range p.nodes {
		n := &p.nodes[i]
		switch {
		case n.Op == inputOp:
			v, ok := feeds[n.Name]
			if !ok {
				continue // not needed, given before, or found missing later
			}
			if len(v.F)+len(v.I) != Size(n.Shape) || (v.I != nil) != n.Int {
				return fmt.Errorf("graph: input %q: %d values for shape %v", n.Name, len(v.F)+len(v.I), n.Shape)
			}
			values[i] = Value{Shape: n.Shape, F: v.F, I: v.I}
		case n.Op.View:
			values[i] = Value{Shape: n.Shape, F: values[n.In[0]].F}
		case p.place[i].n > 0:
			s := p.place[i]
			values[i] = Value{Shape: n.Shape, F: arena[s.off : s.off+s.n : s.off+s.n]}
		}
	}
	return nil
}

// step runs the nodes of one step. A kernel whose operands do not fit panics with constant text; here that becomes an error
// that names the node.
func (p *Plan) step(ctx context.Context, st step, values []Value, a *arena, threads int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			n := &p.nodes[st.nodes[0]]
			err = fmt.Errorf("graph: node %d %q (%s): %v", st.nodes[0], n.Name, n.Op.Name, r)
		}
	}()
	for len(a.calls) < len(st.nodes) {
		a.calls = append(a.calls, &Call{})
	}
	calls := a.calls[:len(st.nodes)]
	for j, id := range st.nodes {
		n := &p.nodes[id]
		in := calls[j].In[:0]
		for _, id := range n.In {
			if values[id].F == nil && values[id].I == nil {
				return fmt.Errorf("graph: input %q is missing", p.nodes[id].Name)
			}
			in = append(in, values[id])
		}
		*calls[j] = Call{Attrs: n.Attrs, In: in, Out: values[id].F, Shape: n.Shape, Threads: threads, Ctx: ctx}
	}
	if op := p.nodes[st.nodes[0]].Op; len(calls) == 1 {
		op.Run(calls[0])
	} else {
		op.Together(calls)
	}
	return nil
}
