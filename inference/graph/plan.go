package graph

import (
	"fmt"
	"math"
	"slices"
	"sort"
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

type span struct{ off, n int }

// alignment of values in the arena, in floats: one cache line.
const alignment = 16

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

// layout gives every computed value its span. A span is free again after the last step that reads it; what every round
// reads stays.
func (p *Plan) layout() error {
	last := p.lastUse()
	var heap freeList
	for s, st := range p.steps {
		for _, id := range st.nodes {
			n := &p.nodes[id]
			size := p.size(id)
			if size > math.MaxInt32 {
				return fmt.Errorf("%w: %d elements", ErrTooLarge, size)
			}
			if donor := p.donor(n, s, last, size); donor != None && len(st.nodes) == 1 {
				p.place[id] = p.place[donor]
				last[donor] = -1
			} else {
				p.place[id] = span{heap.take(aligned(size)), size}
			}
		}
		for _, id := range st.nodes {
			for _, in := range p.nodes[id].In {
				r := p.root[in]
				if last[r] == s && p.place[r].n > 0 {
					heap.give(p.place[r].off, aligned(p.place[r].n))
					last[r] = -1
				}
			}
		}
	}
	p.arena = heap.top
	return nil
}

func aligned(n int) int { return (n + alignment - 1) / alignment * alignment }

// lastUse is the last step that reads each value, MaxInt for what outlives the run's steps: outputs, and what every round
// reads.
func (p *Plan) lastUse() map[ID]int {
	last := make(map[ID]int, len(p.steps))
	made := make(map[ID]int, len(p.steps))
	for s, st := range p.steps {
		for _, id := range st.nodes {
			made[id] = s
			for _, in := range p.nodes[id].In {
				r := p.root[in]
				if at, ok := made[r]; ok && at < p.first && s >= p.first {
					last[r] = math.MaxInt
				} else {
					last[r] = s
				}
			}
		}
	}
	for _, id := range p.outputs {
		last[p.root[id]] = math.MaxInt
	}
	return last
}

// donor returns the operand whose buffer the node may take over.
func (p *Plan) donor(n *Node, s int, last map[ID]int, size int) ID {
	for _, j := range n.Op.InPlace {
		if j >= len(n.In) {
			continue
		}
		r := p.root[n.In[j]]
		if last[r] != s || p.place[r].n != size {
			continue
		}
		shared := false
		for k, in := range n.In {
			shared = shared || (k != j && p.root[in] == r)
		}
		if !shared {
			return r
		}
	}
	return None
}

// freeList hands out ranges of the arena, best fit first, and merges neighbours.
type freeList struct {
	free []span
	top  int
}

func (h *freeList) take(n int) int {
	best := -1
	for i, f := range h.free {
		if f.n >= n && (best < 0 || f.n < h.free[best].n) {
			best = i
		}
	}
	if best < 0 {
		// The last free range may grow at the end of the arena.
		if k := len(h.free); k > 0 && h.free[k-1].off+h.free[k-1].n == h.top {
			off := h.free[k-1].off
			h.free = h.free[:k-1]
			h.top = off + n
			return off
		}
		off := h.top
		h.top += n
		return off
	}
	off := h.free[best].off
	h.free[best].off += n
	h.free[best].n -= n
	if h.free[best].n == 0 {
		h.free = append(h.free[:best], h.free[best+1:]...)
	}
	return off
}

func (h *freeList) give(off, n int) {
	i := sort.Search(len(h.free), func(i int) bool { return h.free[i].off > off })
	h.free = append(h.free, span{})
	copy(h.free[i+1:], h.free[i:])
	h.free[i] = span{off, n}
	if i+1 < len(h.free) && off+n == h.free[i+1].off {
		h.free[i].n += h.free[i+1].n
		h.free = append(h.free[:i+1], h.free[i+2:]...)
	}
	if i > 0 && h.free[i-1].off+h.free[i-1].n == h.free[i].off {
		h.free[i-1].n += h.free[i].n
		h.free = append(h.free[:i], h.free[i+1:]...)
	}
}
