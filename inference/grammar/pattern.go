package grammar

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// maxPattern bounds a regular expression.
const maxPattern = 4 << 10

// Regexp is the grammar of the texts that an expression matches from their beginning to
// their end. The expressions are those that ECMA-262 and RE2 read alike: no look-around, no
// references back, no flags, no word boundaries.
func Regexp(pattern string) (*Grammar, error) {
	prog, err := parsePattern(pattern, `^(?:%s)$`)
	if err != nil {
		return nil, err
	}
	b := newBuilder()
	r := b.rules[0]
	if err := b.text(r.start, r.end, prog, 0, unbounded, false); err != nil {
		return nil, err
	}
	net, err := b.finish()
	if err != nil {
		return nil, err
	}
	return &Grammar{net}, nil
}

// anywhere is the frame of a pattern that matches where some part of a text does, as JSON
// Schema's do.
const anywhere = `(?s:.*)(?:%s)(?s:.*)`

// parsePattern compiles an expression put into a frame.
func parsePattern(pattern, frame string) (*syntax.Prog, error) {
	if len(pattern) > maxPattern {
		return nil, unsupported("a pattern of %d bytes; up to %d are possible", len(pattern), maxPattern)
	}
	clean, err := common(pattern)
	if err != nil {
		return nil, err
	}
	if _, err := syntax.Parse(clean, syntax.Perl); err != nil {
		var bad *syntax.Error
		if errors.As(err, &bad) && (bad.Code == syntax.ErrInvalidRepeatSize || bad.Code == syntax.ErrLarge || bad.Code == syntax.ErrNestingDepth) {
			return nil, unsupported("the pattern is too large: %v", err)
		}
		return nil, fmt.Errorf("grammar: %w: the pattern: %w", ErrSyntax, err)
	}
	re, err := syntax.Parse(fmt.Sprintf(frame, clean), syntax.Perl)
	if err != nil {
		return nil, unsupported("the pattern is too large: %v", err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, unsupported("the pattern: %v", err)
	}
	return prog, nil
}

// common refuses what two dialects of expressions read differently and brings the rest into
// RE2's.
func common(pattern string) (string, error) {
	no := func(what string) (string, error) {
		return "", unsupported("%s in a pattern; write it with characters, classes, groups, |, *, +, ?, {}, ^ and $", what)
	}
	var out strings.Builder
	negated, class := false, false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		rest := pattern[i+1:]
		switch {
		case c == '\\':
			if rest == "" {
				return "", fmt.Errorf("grammar: %w: the pattern ends within \\", ErrSyntax)
			}
			next := rest[0]
			i++
			switch {
			case next == 'u' && len(rest) >= 5 && !strings.ContainsFunc(rest[1:5], notHex):
				fmt.Fprintf(&out, `\x{%s}`, rest[1:5])
				i += 4
				continue
			case next == 's' && negated, next == 'S':
				return no(`white space that is excluded (\S)`)
			case strings.IndexByte("dDwWsnrtfv", next) >= 0:
			case next == 'x' && len(rest) >= 3 && !strings.ContainsFunc(rest[1:3], notHex):
			case next < 0x80 && !('0' <= next && next <= '9' || 'a' <= next|0x20 && next|0x20 <= 'z'):
			default:
				return no(fmt.Sprintf(`\%c`, next))
			}
			out.WriteByte(c)
			out.WriteByte(next)
			continue
		case class:
			if c == '[' && strings.HasPrefix(rest, ":") {
				return no("[:")
			}
			class = c != ']'
		case c == '[':
			class, negated = true, strings.HasPrefix(rest, "^")
			if body := strings.TrimPrefix(rest, "^"); strings.HasPrefix(body, "]") {
				return no("an empty class")
			}
			if strings.HasPrefix(rest, "[:") {
				return no("[:")
			}
		case c == '(' && strings.HasPrefix(rest, "?") && !strings.HasPrefix(rest, "?:"):
			return no("(?" + rest[1:min(2, len(rest))])
		case c == '.':
			out.WriteString(`[^\n\r\x{2028}\x{2029}]`)
			continue
		}
		out.WriteByte(c)
		if c == ']' {
			negated = false
		}
	}
	return out.String(), nil
}

func notHex(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }

// unbounded is no upper limit of a count.
const unbounded = -1

// spot is a place in a pattern's program at a point of a text.
type spot struct {
	pc    uint32
	count int  // characters read, as far as they matter
	begun bool // any was read
	ended bool // none may follow
}

// text reads from low to high characters that the program matches as a whole, as they are
// or, with json, as they stand between the quotes of a JSON text.
func (b *builder) text(from, to int32, prog *syntax.Prog, low, high int, json bool) error {
	limit := high
	if high == unbounded {
		limit = low
	}
	ids := map[spot]int32{}
	var todo []spot
	at := func(s spot) int32 {
		id, ok := ids[s]
		if !ok {
			id = b.state()
			ids[s] = id
			todo = append(todo, s)
		}
		return id
	}
	b.jump(from, at(spot{pc: uint32(prog.Start)}))
	for len(todo) > 0 && b.err == nil {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		id, in := ids[s], &prog.Inst[s.pc]
		next := s
		next.pc = in.Out
		switch in.Op {
		case syntax.InstFail:
		case syntax.InstAlt, syntax.InstAltMatch:
			b.jump(id, at(next))
			next.pc = in.Arg
			b.jump(id, at(next))
		case syntax.InstCapture, syntax.InstNop:
			b.jump(id, at(next))
		case syntax.InstEmptyWidth:
			need := syntax.EmptyOp(in.Arg)
			if need&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
				return unsupported("a border of a word or line in a pattern")
			}
			next.ended = s.ended || need&syntax.EmptyEndText != 0
			if need&syntax.EmptyBeginText == 0 || !s.begun {
				b.jump(id, at(next))
			}
		case syntax.InstMatch:
			if s.count >= low {
				b.jump(id, to)
			}
		default:
			if s.ended || s.count == high {
				continue
			}
			class, err := classOf(in)
			if err != nil {
				return err
			}
			next.count, next.begun = min(s.count+1, limit), true
			if len(class) > 0 {
				b.call(id, at(next), b.character(class, json))
			}
		}
	}
	return b.err
}

// classOf is what an instruction reads.
func classOf(in *syntax.Inst) (runes, error) {
	switch {
	case in.Op == syntax.InstRuneAny:
		return anyRune, nil
	case in.Op == syntax.InstRuneAnyNotNL:
		return anyRune.without(runes{'\n', '\n'}), nil
	case syntax.Flags(in.Arg)&syntax.FoldCase != 0:
		return nil, unsupported("a pattern that ignores case")
	case len(in.Rune) == 1:
		return runes{in.Rune[0], in.Rune[0]}, nil
	}
	return runes(in.Rune), nil
}
