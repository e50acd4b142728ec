package grammar

import (
	"errors"
	"fmt"
)

var (
	// ErrSyntax: the schema or pattern is not well formed; the message says where.
	ErrSyntax = errors.New("the format is not well formed")
	// ErrUnsupported: the format asks for what cannot be enforced; the message names it.
	ErrUnsupported = errors.New("the format cannot be enforced")
)

func unsupported(format string, args ...any) error {
	return fmt.Errorf("grammar: %w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

// Bounds of a network.
const (
	maxStates = 1 << 17
	maxRules  = 1 << 13
)

// edge reads one byte of a range.
type edge struct {
	lo, hi byte
	to     int32
}

// call runs a rule and goes on at back.
type call struct{ rule, back int32 }

type state struct {
	edges []edge
	jumps []int32 // without reading
	calls []call
	final bool // the end of a rule
}

// rule is a part of the network with one entry and one exit. Only the first rule may be
// left without reading a byte.
type rule struct{ start, end int32 }

// network reads documents by its first rule.
type network struct {
	states []state
	rules  []rule
}

// builder makes a network. What exceeds a bound leaves err, after which nothing grows.
type builder struct {
	network
	classes map[string]int32 // rules of character classes
	blank   int32            // the rule of white space
	err     error
}

func newBuilder() *builder {
	b := &builder{classes: map[string]int32{}, blank: -1}
	b.rule()
	return b
}

func (b *builder) state() int32 {
	if len(b.states) >= maxStates {
		b.err = unsupported("it is too large; ask for shorter texts, fewer items or fewer values")
		return 0
	}
	b.states = append(b.states, state{})
	return int32(len(b.states) - 1)
}

func (b *builder) rule() int32 {
	if len(b.rules) >= maxRules {
		b.err = unsupported("it has more than %d parts; simplify it", maxRules)
		return 0
	}
	r := rule{b.state(), b.state()}
	b.states[r.end].final = true
	b.rules = append(b.rules, r)
	return int32(len(b.rules) - 1)
}

func (b *builder) edge(from, to int32, lo, hi byte) {
	b.states[from].edges = append(b.states[from].edges, edge{lo, hi, to})
}
func (b *builder) jump(from, to int32) { b.states[from].jumps = append(b.states[from].jumps, to) }
func (b *builder) call(from, to, r int32) {
	b.states[from].calls = append(b.states[from].calls, call{r, to})
}

// literal reads exactly s, sharing what begins alike with literals from the same state.
func (b *builder) literal(from, to int32, s string) {
	for i := range len(s) {
		next, c := to, s[i]
		if i < len(s)-1 {
			next = -1
			for _, e := range b.states[from].edges {
				if e.lo == c && e.hi == c && e.to != to {
					next = e.to
				}
			}
			if next >= 0 {
				from = next
				continue
			}
			next = b.state()
		}
		b.edge(from, next, c, c)
		from = next
	}
}

// maxIndent is how many blanks a line of a document may begin with.
const maxIndent = 20

// space reads what may stand between the parts of a document: nothing, a blank, or a line's
// end and an indent.
func (b *builder) space(from, to int32) {
	if b.blank < 0 {
		b.blank = b.rule()
		r := b.rules[b.blank]
		b.edge(r.start, r.end, ' ', ' ')
		at := b.state()
		b.edge(r.start, at, '\n', '\n')
		b.jump(at, r.end)
		for range maxIndent {
			next := b.state()
			b.edge(at, next, ' ', ' ')
			b.edge(at, next, '\t', '\t')
			b.jump(next, r.end)
			at = next
		}
	}
	b.jump(from, to)
	b.call(from, to, b.blank)
}

// finish removes what no document can pass and refuses rules that call themselves before
// they read.
func (b *builder) finish() (*network, error) {
	if b.err != nil {
		return nil, b.err
	}
	alive := b.alive()
	if !alive[b.rules[0].start] {
		return nil, unsupported("no document is as it asks; loosen what contradicts itself")
	}
	for i := range b.states {
		s := &b.states[i]
		s.edges = keep(s.edges, func(e edge) bool { return alive[e.to] })
		s.jumps = keep(s.jumps, func(to int32) bool { return alive[to] })
		s.calls = keep(s.calls, func(c call) bool { return alive[c.back] && alive[b.rules[c.rule].start] })
	}
	return &b.network, b.loops()
}

func keep[T any](list []T, ok func(T) bool) []T {
	out := list[:0]
	for _, x := range list {
		if ok(x) {
			out = append(out, x)
		}
	}
	return out
}

// alive marks the states from which the end of their rule can be reached.
func (b *builder) alive() []bool {
	alive := make([]bool, len(b.states))
	before := make([][]int32, len(b.states)) // states that reach one by a byte or a jump
	type place struct{ from, rule int32 }
	returns := make([][]place, len(b.states)) // calls that come back to one
	starts := map[int32]int32{}               // start -> rule
	waiting := make([][]int32, len(b.rules))  // states whose call of a rule comes back to an alive one
	for i, s := range b.states {
		for _, e := range s.edges {
			before[e.to] = append(before[e.to], int32(i))
		}
		for _, to := range s.jumps {
			before[to] = append(before[to], int32(i))
		}
		for _, c := range s.calls {
			returns[c.back] = append(returns[c.back], place{int32(i), c.rule})
		}
	}
	var work []int32
	mark := func(s int32) {
		if !alive[s] {
			alive[s] = true
			work = append(work, s)
		}
	}
	for i, r := range b.rules {
		starts[r.start] = int32(i)
		mark(r.end)
	}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range before[s] {
			mark(p)
		}
		for _, p := range returns[s] {
			if waiting[p.rule] = append(waiting[p.rule], p.from); alive[b.rules[p.rule].start] {
				mark(p.from)
			}
		}
		if r, ok := starts[s]; ok {
			for _, from := range waiting[r] {
				mark(from)
			}
		}
	}
	return alive
}

// loops refuses a rule that can come to itself, or be left, without reading.
func (b *builder) loops() error {
	const open, done = 1, 2
	seen := make([]byte, len(b.rules))
	var visit func(r int32, depth int) error
	visit = func(r int32, depth int) error {
		if seen[r] == open {
			return unsupported("a reference leads back to itself before anything is written")
		}
		if seen[r] == done {
			return nil
		}
		seen[r] = open
		calls, left := b.first(b.rules[r])
		if left && r != 0 {
			return unsupported("a part of it is empty")
		}
		for _, c := range calls {
			if err := visit(c, depth+1); err != nil {
				return err
			}
		}
		seen[r] = done
		return nil
	}
	for r := range b.rules {
		if err := visit(int32(r), 0); err != nil {
			return err
		}
	}
	return nil
}

// first lists the rules that one calls before it reads, and whether it may end before that.
func (b *builder) first(r rule) (calls []int32, left bool) {
	seen := map[int32]bool{r.start: true}
	work := []int32{r.start}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		left = left || s == r.end
		for _, c := range b.states[s].calls {
			calls = append(calls, c.rule)
		}
		for _, to := range b.states[s].jumps {
			if !seen[to] {
				seen[to] = true
				work = append(work, to)
			}
		}
	}
	return calls, left
}
