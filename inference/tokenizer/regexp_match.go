package tokenizer

import (
	"fmt"
	"unicode"
)

// charSet is a class of characters.
type charSet struct {
	ranges []rune // low, high, low, high, ...
	is     func(rune) bool
	sets   []*charSet
	negate bool
	fold   bool
}

func (s *charSet) has(r rune) bool {
	in := s.plain(r)
	if !in && s.fold {
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = s.plain(f)
		}
	}
	return in != s.negate
}

func (s *charSet) plain(r rune) bool {
	for i := 0; i < len(s.ranges); i += 2 {
		if r >= s.ranges[i] && r <= s.ranges[i+1] {
			return true
		}
	}
	if s.is != nil && s.is(r) {
		return true
	}
	for _, inner := range s.sets {
		if inner.has(r) {
			return true
		}
	}
	return false
}

// isWordOnig is Oniguruma's \w.
func isWordOnig(r rune) bool {
	if r < 0x80 {
		return isWord(r)
	}
	switch r { // superscripts and fractions of Latin-1 count, others do not
	case 0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE:
		return true
	}
	return isLetter(r) || isMark(r) || isDecimal(r) || unicode.In(r, unicode.Pc, unicode.Nl, unicode.Other_Alphabetic)
}

type opcode uint8

const (
	opMatch opcode = iota
	opSet
	opJump      // to x
	opSplit     // try x, then y
	opAtomic    // run [pc+1..] to its opMatch, go on at x without coming back
	opLook      // the same, but the place stays; negative where y is 1
	opLineStart //
	opLineEnd
	opTextStart
	opTextEnd
)

type instruction struct {
	op   opcode
	x, y int
	set  *charSet
}

// emit appends the instructions of n; it stops growing the program once that
// is over its bound.
func (p *regexParser) emit(n *node) {
	if len(p.prog) > maxInstructions {
		return
	}
	add := func(i instruction) int {
		p.prog = append(p.prog, i)
		return len(p.prog) - 1
	}
	switch n.kind {
	case nodeSet:
		add(instruction{op: opSet, set: n.set})
	case nodeSequence:
		for _, c := range n.list {
			p.emit(c)
		}
	case nodeChoice:
		var ends []int
		for i, c := range n.list {
			if i == len(n.list)-1 {
				p.emit(c)
				break
			}
			split := add(instruction{op: opSplit})
			p.prog[split].x = split + 1
			p.emit(c)
			ends = append(ends, add(instruction{op: opJump}))
			p.prog[split].y = len(p.prog)
		}
		for _, e := range ends {
			p.prog[e].x = len(p.prog)
		}
	case nodeRepeat:
		p.emitRepeat(n, add)
	case nodeAtomic, nodeLook:
		i := instruction{op: opAtomic}
		if n.kind == nodeLook {
			i.op = opLook
		}
		if n.negative {
			i.y = 1
		}
		at := add(i)
		p.emit(n.list[0])
		add(instruction{op: opMatch})
		p.prog[at].x = len(p.prog)
	default:
		add(instruction{op: map[nodeKind]opcode{nodeStart: opLineStart, nodeEnd: opLineEnd, nodeTextStart: opTextStart, nodeTextEnd: opTextEnd}[n.kind]})
	}
}

func (p *regexParser) emitRepeat(n *node, add func(instruction) int) {
	branch := func(split, stay, leave int) {
		if n.lazy {
			stay, leave = leave, stay
		}
		p.prog[split].x, p.prog[split].y = stay, leave
	}
	for range n.low {
		p.emit(n.list[0])
	}
	if n.top < 0 {
		split := add(instruction{op: opSplit})
		p.emit(n.list[0])
		add(instruction{op: opJump, x: split})
		branch(split, split+1, len(p.prog))
		return
	}
	var splits []int
	for range n.top - n.low {
		splits = append(splits, add(instruction{op: opSplit}))
		p.emit(n.list[0])
	}
	for _, s := range splits {
		branch(s, s+1, len(p.prog))
	}
}

// stepsFor is how many steps a pattern may take over a text of n characters:
// published patterns need about ten a character.
func stepsFor(n int) int { return 1000*n + 100_000 }

var errSteps = fmt.Errorf("%w: the tokenizer's word pattern takes too long on it; send it in parts", ErrText)

// regex is a program; matching goes back on its choices like Oniguruma's, with
// an explicit stack and a bound on the steps.
type regex []instruction

func (x regex) find(t text, from int, steps *int) (int, int, bool, error) {
	for at := from; at <= len(t); at++ {
		end, ok, err := x.run(t, 0, at, steps)
		if err != nil || ok {
			return at, end, ok, err
		}
	}
	return 0, 0, false, nil
}

// run executes from pc to the opMatch that ends its part of the program.
func (x regex) run(t text, pc, at int, steps *int) (end int, ok bool, err error) {
	type choice struct{ pc, at int }
	var stack []choice
	fail := false
	for {
		if *steps--; *steps < 0 {
			return 0, false, errSteps
		}
		if fail {
			if len(stack) == 0 {
				return 0, false, nil
			}
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			pc, at, fail = top.pc, top.at, false
		}
		switch i := &x[pc]; i.op {
		case opMatch:
			return at, true, nil
		case opSet:
			if at < len(t) && i.set.has(t[at].r) {
				at++
				pc++
			} else {
				fail = true
			}
		case opJump:
			pc = i.x
		case opSplit:
			stack = append(stack, choice{i.y, at})
			pc = i.x
		case opAtomic, opLook:
			end, ok, err := x.run(t, pc+1, at, steps)
			if err != nil {
				return 0, false, err
			}
			if fail = ok == (i.op == opLook && i.y == 1); !fail {
				pc = i.x
				if i.op == opAtomic {
					at = end
				}
			}
		default:
			pc++
			fail = !x.holds(i.op, t, at)
		}
	}
}

// holds checks an anchor. A line end is not looked for behind the text's last
// line break, as in Ruby.
func (x regex) holds(op opcode, t text, at int) bool {
	switch op {
	case opTextStart:
		return at == 0
	case opTextEnd:
		return at == len(t)
	case opLineStart:
		return at == 0 || t[at-1].r == '\n' && at < len(t)
	}
	return at == len(t) || t[at].r == '\n'
}
