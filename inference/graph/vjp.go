package graph

import (
	"fmt"
	"slices"
)

// Tape adds a reverse pass to a graph. Rules replaces the rule of an op, by name, for this run only (guided ReLU
// and the like).
type Tape struct {
	G     *Graph
	Rules map[string]VJP
	// Keep, unless nil, lists the values that the reverse pass may find in memory; others it computes again from them
	// (activation checkpointing, Chen et al. 2016), with the same bits.
	Keep  []ID
	twins map[ID]ID
}

// Backward pulls cotangents (node -> its cotangent node) back to the nodes wrt and returns their gradients, in
// order; a node that the seeds do not depend on gets None. Weights are constants. The order in which
// contributions to one value are added depends on the graph only, never on wrt.
func (t *Tape) Backward(seeds map[ID]ID, wrt []ID) ([]ID, error) {
	g := t.G
	limit := len(g.Nodes)
	for id := range seeds {
		if int(id) >= limit {
			return nil, fmt.Errorf("graph: seed %d outside the graph", id)
		}
	}
	need := make([]bool, limit) // the node depends on one of wrt, or is one
	for _, id := range wrt {
		need[id] = true
	}
	for i := range limit {
		for _, in := range g.Nodes[i].In {
			need[i] = need[i] || need[in]
		}
	}
	grad := make([]ID, limit)
	for i := range grad {
		grad[i] = None
	}
	for id, ct := range seeds {
		grad[id] = ct
	}
	for i := limit - 1; i >= 0; i-- {
		if grad[i] == None || !need[i] || len(g.Nodes[i].In) == 0 {
			continue
		}
		if err := t.pull(ID(i), grad, need); err != nil {
			return nil, err
		}
	}
	out := make([]ID, len(wrt))
	for i, id := range wrt {
		out[i] = grad[id]
	}
	return out, g.Err()
}

// pull applies one node's rule and adds what it yields to the gradients of its operands.
func (t *Tape) pull(i ID, grad []ID, need []bool) error {
	op, in := t.G.Nodes[i].Op, t.G.Nodes[i].In
	wanted := false
	for _, id := range in {
		wanted = wanted || need[id]
	}
	if !wanted {
		return nil
	}
	rule := op.VJP
	if r, ok := t.Rules[op.Name]; ok {
		rule = r
	}
	if rule == nil {
		return fmt.Errorf("graph: op %s has no gradient", op.Name)
	}
	parts := rule(t, t.again(i), grad[i])
	for j, id := range in {
		if j >= len(parts) || parts[j] == None || !need[id] {
			continue
		}
		if grad[id] == None {
			grad[id] = parts[j]
		} else {
			grad[id] = t.G.Add("add", nil, "", grad[id], parts[j])
		}
	}
	return nil
}

// again is the node that has the value of id in the reverse pass: itself, or a twin computed from values that are kept. The
// twin stands where it is first needed, so that a layer's values live while the layer is pulled back.
func (t *Tape) again(id ID) ID {
	n := t.G.Nodes[id]
	if t.Keep == nil || len(n.In) == 0 || slices.Contains(t.Keep, id) {
		return id
	}
	if twin, ok := t.twins[id]; ok {
		return twin
	}
	in := make([]ID, len(n.In))
	for j, operand := range n.In {
		in[j] = t.again(operand)
	}
	t.G.Nodes = append(t.G.Nodes, Node{Op: n.Op, Attrs: n.Attrs, In: in, Shape: n.Shape, again: true})
	if t.twins == nil {
		t.twins = map[ID]ID{}
	}
	t.twins[id] = ID(len(t.G.Nodes) - 1)
	return t.twins[id]
}
