package graph

import (
	"context"
	"fmt"
)

// Run executes the plan on the given inputs and calls read with a function that returns the value of an output.
// The values are valid until read returns. Inputs are read in place and never written. The context is looked at
// between nodes.
func (p *Plan) Run(ctx context.Context, feeds map[string]Value, threads int, read func(value func(ID) Value)) error {
	values := make([]Value, len(p.nodes))
	arena := p.take()
	defer p.pool.Put(&arena)
	for i := range p.nodes {
		n := &p.nodes[i]
		switch {
		case n.Op == inputOp:
			v, ok := feeds[n.Name]
			if !ok {
				continue // not needed, or found missing below
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
	var in [8]Value
	for _, st := range p.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := &p.nodes[st.node]
		args := in[:0]
		for _, id := range n.In {
			if values[id].F == nil && values[id].I == nil {
				return fmt.Errorf("graph: input %q is missing", p.nodes[id].Name)
			}
			args = append(args, values[id])
		}
		n.Op.Run(&Call{Attrs: n.Attrs, In: args, Out: values[st.node].F, Shape: n.Shape, Threads: threads})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	read(func(id ID) Value { return values[id] })
	return nil
}

func (p *Plan) take() []float32 {
	if a, ok := p.pool.Get().(*[]float32); ok {
		return *a
	}
	return make([]float32, p.arena)
}
