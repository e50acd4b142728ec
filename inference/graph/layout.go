package graph

import (
	"fmt"
	"math"
	"sort"
)

// span is a place in the arena, in floats.
type span struct{ off, n int }

// alignment of values in the arena, in floats: one cache line.
const alignment = 16

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
