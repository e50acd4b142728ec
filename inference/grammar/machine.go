package grammar

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Bounds of a machine: what it keeps between steps, and the work of one step.
const (
	maxKept = 1 << 12 // deterministic states
	maxMask = 1 << 9  // masks of them
	maxWork = 1 << 21 // configurations looked at
)

// errWork: a step takes too much.
var errWork = errors.New("grammar: the format has too many ways to read one text; simplify its patterns or alternatives")

// config is a place in the network with what waits below it.
type config struct{ state, stack int32 }

// frame is a call under way: where it comes back to, and the one that waits for it.
type frame struct{ back, below int32 }

// dead is the state that nothing leads out of.
const dead = int32(-1)

// moment is a deterministic state: all configurations that a text leads to.
type moment struct {
	configs []config
	next    []int32 // by class of the byte; 0 where it is not known yet
	accepts bool    // the text is a whole document
	mask    []uint64
}

// machine makes a network deterministic while it is needed. Not safe for concurrent use.
type machine struct {
	net      *network
	class    [256]uint8
	classes  int
	frames   []frame // 0 is the bottom
	frameIDs map[frame]int32
	moments  []moment // 0 is unused, 1 the start
	ids      map[string]int32
	masks    int
	work     int

	seen map[config]bool
	todo []config
	key  []byte
}

const start = int32(1)

func newMachine(net *network) *machine {
	m := &machine{net: net, seen: map[config]bool{}}
	var border [257]bool
	for _, s := range net.states {
		for _, e := range s.edges {
			border[e.lo], border[int(e.hi)+1] = true, true
		}
	}
	for c := range 256 {
		if border[c] && c > 0 {
			m.classes++
		}
		m.class[c] = uint8(m.classes)
	}
	m.classes++
	m.reset()
	return m
}

// reset forgets all but the start.
func (m *machine) reset() {
	m.frames, m.frameIDs = []frame{{}}, map[frame]int32{}
	m.moments, m.ids = make([]moment, 1, 64), map[string]int32{}
	m.work, m.masks = 0, 0
	m.enter(config{m.net.rules[0].start, 0})
	m.settle()
}

// full says that a reset is due.
func (m *machine) full() bool {
	return len(m.moments) > maxKept || m.masks > maxMask || len(m.frames) > 16*maxKept
}

// enter takes a configuration into the set under way.
func (m *machine) enter(c config) {
	if !m.seen[c] {
		m.seen[c] = true
		m.todo = append(m.todo, c)
	}
}

func (m *machine) frame(f frame) int32 {
	id, ok := m.frameIDs[f]
	if !ok {
		id = int32(len(m.frames))
		m.frames, m.frameIDs[f] = append(m.frames, f), id
	}
	return id
}

// settle follows what needs no byte and returns the moment of the set under way.
func (m *machine) settle() int32 {
	accepts := false
	var kept []config
	for len(m.todo) > 0 {
		c := m.todo[len(m.todo)-1]
		m.todo = m.todo[:len(m.todo)-1]
		m.work++
		s := &m.net.states[c.state]
		if s.final {
			if c.stack == 0 {
				accepts = true
			} else {
				f := m.frames[c.stack]
				m.enter(config{f.back, f.below})
			}
		}
		for _, to := range s.jumps {
			m.enter(config{to, c.stack})
		}
		for _, k := range s.calls {
			m.enter(config{m.net.rules[k.rule].start, m.frame(frame{k.back, c.stack})})
		}
		if len(s.edges) > 0 {
			kept = append(kept, c)
		}
	}
	clear(m.seen)
	if len(kept) == 0 && !accepts {
		return dead
	}
	slices.SortFunc(kept, func(a, b config) int {
		if a.state != b.state {
			return int(a.state - b.state)
		}
		return int(a.stack - b.stack)
	})
	m.key = m.key[:0]
	if accepts {
		m.key = append(m.key, 1)
	}
	for _, c := range kept {
		m.key = binary.LittleEndian.AppendUint32(m.key, uint32(c.state))
		m.key = binary.LittleEndian.AppendUint32(m.key, uint32(c.stack))
	}
	id, ok := m.ids[string(m.key)]
	if !ok {
		id = int32(len(m.moments))
		m.work += m.classes
		m.moments = append(m.moments, moment{configs: kept, next: make([]int32, m.classes), accepts: accepts})
		m.ids[string(m.key)] = id
	}
	return id
}

// step is where a byte leads.
func (m *machine) step(at int32, c byte) int32 {
	class := m.class[c]
	if to := m.moments[at].next[class]; to != 0 {
		return to
	}
	for _, k := range m.moments[at].configs {
		m.work++
		for _, e := range m.net.states[k.state].edges {
			if e.lo <= c && c <= e.hi {
				m.enter(config{e.to, k.stack})
			}
		}
	}
	to := m.settle()
	m.moments[at].next[class] = to
	return to
}
