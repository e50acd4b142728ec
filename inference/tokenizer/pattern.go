package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// pattern finds stretches of a text. find gives the first match that begins at
// from or behind it, and takes what the search costs from steps. The error
// wraps ErrText: too many steps.
type pattern interface {
	find(t text, from int, steps *int) (start, end int, ok bool, err error)
}

// maxPatternBytes bounds the source of a pattern.
const maxPatternBytes = 8 << 10

// parsePattern reads {"String": ...} or {"Regex": ...}.
func parsePattern(raw json.RawMessage) (pattern, error) {
	var c struct {
		String *string
		Regex  *string
	}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	switch {
	case c.String != nil && c.Regex == nil && len(*c.String) <= maxPatternBytes:
		return literal(*c.String), nil
	case c.Regex != nil && c.String == nil && len(*c.Regex) <= maxPatternBytes:
		if s, ok := scanners[*c.Regex]; ok {
			return s, nil
		}
		return compileRegexp(*c.Regex)
	}
	return nil, fmt.Errorf("%w: a pattern must be one String or Regex of at most %d bytes", ErrFormat, maxPatternBytes)
}

// literal matches its characters.
type literal []rune

func (l literal) find(t text, from int, _ *int) (int, int, bool, error) {
	for at := from; len(l) > 0 && at+len(l) <= len(t); at++ {
		if l.at(t[at:]) {
			return at, at + len(l), true, nil
		}
	}
	return 0, 0, false, nil
}

func (l literal) at(t text) bool {
	for i, r := range l {
		if t[i].r != r {
			return false
		}
	}
	return true
}

// eachMatch calls f for the matches of p in order. An empty match directly
// behind the one before does not count, as in the onig crate's find_iter.
func eachMatch(p pattern, t text, f func(from, to int)) error {
	steps := stepsFor(len(t))
	last := -1
	for at := 0; at <= len(t); {
		from, to, ok, err := p.find(t, at, &steps)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		if from == to && to == last {
			at = to + 1
			continue
		}
		f(from, to)
		at, last = to, to
		if from == to {
			at++
		}
	}
	return nil
}

// stretch is a part of a text; match says whether the pattern found it.
type stretch struct {
	from, to int
	match    bool
}

// stretches covers t with matches and what lies between them.
func stretches(p pattern, t text) ([]stretch, error) {
	var out []stretch
	done := 0
	err := eachMatch(p, t, func(from, to int) {
		if done < from {
			out = append(out, stretch{done, from, false})
		}
		out = append(out, stretch{from, to, true})
		done = to
	})
	if done < len(t) {
		out = append(out, stretch{done, len(t), false})
	}
	return out, err
}

// behaviour is what becomes of matches (tokenizers' SplitDelimiterBehavior).
type behaviour string

// cut applies b to the stretches of one piece.
func (b behaviour) cut(list []stretch) []stretch {
	var out []stretch
	before := false
	merge := func(s stretch, join bool, extend func(last *stretch)) {
		if join && len(out) > 0 {
			extend(&out[len(out)-1])
		} else {
			out = append(out, s)
		}
		before = s.match
	}
	switch b {
	case "Removed":
		return slices.DeleteFunc(list, func(s stretch) bool { return s.match })
	case "Contiguous":
		for _, s := range list {
			merge(s, s.match == before, func(last *stretch) { last.to = s.to })
		}
	case "MergedWithPrevious":
		for _, s := range list {
			merge(s, s.match && !before, func(last *stretch) { last.to = s.to })
		}
	case "MergedWithNext":
		for _, s := range slices.Backward(list) {
			merge(s, s.match && !before, func(last *stretch) { last.from = s.from })
		}
		slices.Reverse(out)
	default: // Isolated
		return list
	}
	return out
}

func (b behaviour) check() error {
	if slices.Contains([]behaviour{"Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"}, b) {
		return nil
	}
	return fmt.Errorf("%w: split behaviour %.40q", ErrUnsupported, string(b))
}

// splitter is a pre-tokenizer that cuts at a pattern.
type splitter struct {
	pattern pattern
	behaviour
	invert bool
}

func (s splitter) split(pieces []piece) ([]piece, error) {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		if p.added {
			out = append(out, p)
			continue
		}
		list, err := stretches(s.pattern, p.chars)
		if err != nil {
			return nil, err
		}
		for i := range list {
			list[i].match = list[i].match != s.invert
		}
		for _, c := range s.cut(list) {
			if c.from < c.to {
				out = append(out, piece{chars: p.chars[c.from:c.to:c.to]})
			}
		}
	}
	return out, nil
}

// oneOf matches single characters.
type oneOf func(rune) bool

func (f oneOf) find(t text, from int, _ *int) (int, int, bool, error) {
	for at := from; at < len(t); at++ {
		if f(t[at].r) {
			return at, at + 1, true, nil
		}
	}
	return 0, 0, false, nil
}
