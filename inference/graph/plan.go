package graph

import (
	"slices"
	"sync"
)

// Plan is a compiled graph: an order of execution and a place in the arena for every value. It is immutable and
// safe for concurrent runs.
type Plan struct {
	nodes   []Node
	read    []bool // per node: an output needs it
	steps   []step
	place   []span // per node; length 0 for inputs and nodes not computed
	root    []ID   // views share the buffer of their root
	arena   int    // floats
	outputs []ID
	rounds  Rounds
	first   int    // steps from here on run for every group of rounds
	wide    []bool // per node: has a value for each round of a group
	pool    sync.Pool
}

// Rounds tells how the rounds of one run (RunEach) differ: in the inputs named Varying. Width of them run at a time, sharing
// what does not vary; zero means one.
type Rounds struct {
	Varying []string
	Width   int
}

// step is one node, or several of one op that run together.
type step struct{ nodes []ID }

// Compile fuses, orders and places the nodes that outputs need. Fuse false leaves the graph as built (tests
// compare the two). The graph must not be changed afterwards.
func Compile(g *Graph, outputs []ID, fuse bool) (*Plan, error) {
	return CompileRounds(g, outputs, fuse, Rounds{})
}

// CompileRounds is Compile for runs of several rounds.
func CompileRounds(g *Graph, outputs []ID, fuse bool, rounds Rounds) (*Plan, error) {
	if g.err != nil {
		return nil, g.err
	}
	if fuse {
		g.fuse(outputs)
	}
	_, live := g.uses(outputs)
	rounds.Width = max(1, rounds.Width)
	p := &Plan{nodes: g.Nodes, read: live, outputs: outputs, rounds: rounds,
		place: make([]span, len(g.Nodes)), root: make([]ID, len(g.Nodes)), wide: make([]bool, len(g.Nodes))}
	for i := range g.Nodes {
		p.root[i] = ID(i)
		if g.Nodes[i].Op.View && live[i] {
			p.root[i] = p.root[g.Nodes[i].In[0]]
		}
		if live[i] && g.Nodes[i].Op != inputOp && !g.Nodes[i].Op.View {
			p.steps = append(p.steps, step{[]ID{ID(i)}})
		}
	}
	p.first = len(p.steps)
	if len(rounds.Varying) > 0 {
		p.divide()
	}
	p.join()
	return p, p.layout()
}

// reach is how many steps back a step is moved to join another.
const reach = 6

// join makes one step of near steps that share their first operand and do not need each other, where the op can run them
// together.
func (p *Plan) join() {
	out := p.steps[:0]
	start, first := 0, p.first
	for i, st := range p.steps {
		if i == first {
			start, p.first = len(out), len(out)
		}
		at := len(out) - 1
		for at >= max(start, len(out)-reach) && !p.together(out[at].nodes, st.nodes[0], at == len(out)-1) {
			at--
		}
		if at >= max(start, len(out)-reach) {
			out[at].nodes = append(out[at].nodes, st.nodes...)
			continue
		}
		out = append(out, st)
	}
	if first == len(p.steps) {
		p.first = len(out)
	}
	p.steps = out
}

// together reports whether the node can join the step; one that is not the last step's neighbour may need nothing else.
func (p *Plan) together(nodes []ID, id ID, neighbour bool) bool {
	a, b := &p.nodes[nodes[0]], &p.nodes[id]
	if a.Op != b.Op || a.Op.Together == nil || a.In[0] != b.In[0] || !neighbour && len(b.In) > 1 ||
		p.wide[id] && !p.asOne(nodes[0]) || p.wide[id] && !p.asOne(id) {
		return false
	}
	for _, in := range b.In {
		if slices.Contains(nodes, p.root[in]) {
			return false
		}
	}
	return true
}

// divide puts the steps that do not depend on the varying inputs first; each part keeps its order. What is computed again
// to save memory is so for every group of rounds, once.
func (p *Plan) divide() {
	varies := make([]bool, len(p.nodes))
	for i := range p.nodes {
		n := &p.nodes[i]
		p.wide[i] = n.Op == inputOp && slices.Contains(p.rounds.Varying, n.Name)
		varies[i] = n.again
		for _, in := range n.In {
			p.wide[i] = p.wide[i] || p.wide[in]
			varies[i] = varies[i] || varies[in]
		}
		varies[i] = varies[i] || p.wide[i]
	}
	slices.SortStableFunc(p.steps, func(a, b step) int {
		switch {
		case varies[a.nodes[0]] == varies[b.nodes[0]]:
			return 0
		case varies[b.nodes[0]]:
			return -1
		}
		return 1
	})
	p.first, _ = slices.BinarySearchFunc(p.steps, true, func(s step, _ bool) int {
		if varies[s.nodes[0]] {
			return 1
		}
		return -1
	})
}

// asOne reports whether the rounds of a wide node run as one call.
func (p *Plan) asOne(id ID) bool {
	n := &p.nodes[id]
	return n.Op.Rows && !slices.ContainsFunc(n.In, func(in ID) bool { return !p.wide[in] })
}

// size is the number of values of a node, of all rounds of a group together.
func (p *Plan) size(id ID) int {
	n := Size(p.nodes[id].Shape)
	if p.wide[id] {
		n *= p.rounds.Width
	}
	return n
}

// Bytes is the memory one run takes, inputs excluded.
func (p *Plan) Bytes() int64 { return int64(p.arena) * 4 }

// Feeds is the memory of the inputs that a run reads.
func (p *Plan) Feeds() int64 {
	n := int64(0)
	for i := range p.nodes {
		if p.read[i] && p.nodes[i].Op == inputOp {
			n += 4 * int64(p.size(ID(i)))
		}
	}
	return n
}

// Largest is the memory of the largest value that a run computes.
func (p *Plan) Largest() int64 {
	n := 0
	for _, s := range p.place {
		n = max(n, s.n)
	}
	return 4 * int64(n)
}

// Kept is the memory that the next run leaves behind, for later runs to use.
func (p *Plan) Kept() int64 {
	n := int64(0)
	for _, st := range p.steps {
		for _, id := range st.nodes {
			if node := &p.nodes[id]; node.Op.Kept != nil {
				n += node.Op.Kept(node.Attrs)
			}
		}
	}
	return n
}

// Steps is the number of kernels one run calls.
func (p *Plan) Steps() int { return len(p.steps) }
