package tokenizer

// char is one character of a normalised text with the characters [start,end)
// of the original text that it stands for.
type char struct {
	r          rune
	start, end int32
}

// text is a normalised text. Every step keeps the alignment rules of
// tokenizers' NormalizedString: a replaced character keeps its place, an
// inserted one shares the place of the character before it.
type text []char

// newText aligns every character with itself.
func newText(s string) text {
	t := make(text, 0, len(s))
	for _, r := range s {
		n := int32(len(t))
		t = append(t, char{r, n, n + 1})
	}
	return t
}

// filter keeps the characters for which keep holds, in place.
func (t text) filter(keep func(rune) bool) text {
	out := t[:0]
	for _, c := range t {
		if keep(c.r) {
			out = append(out, c)
		}
	}
	return out
}

// String is the normalised text.
func (t text) String() string {
	b := make([]byte, 0, len(t)+len(t)/4)
	for _, c := range t {
		b = appendRune(b, c.r)
	}
	return string(b)
}

// piece is a stretch of the text on its way through the pipeline. A piece that
// is an added token already has its id and is not split further.
type piece struct {
	chars text
	added bool
	id    int32
}

// isolate cuts every unfinished piece where mark holds; the marked characters
// become pieces of their own, or vanish where remove is set.
func isolate(pieces []piece, mark func(rune) bool, remove bool) []piece {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		if p.added {
			out = append(out, p)
			continue
		}
		from := 0
		for i, c := range p.chars {
			if !mark(c.r) {
				continue
			}
			if from < i {
				out = append(out, piece{chars: p.chars[from:i]})
			}
			if !remove {
				out = append(out, piece{chars: p.chars[i : i+1]})
			}
			from = i + 1
		}
		if from < len(p.chars) {
			out = append(out, piece{chars: p.chars[from:]})
		}
	}
	return out
}

// change is a character of a rewritten text: n > 0 inserts it, n <= 0 lets it
// take the place of the next old character and drops -n more.
type change struct {
	r rune
	n int
}

// transform rewrites t after dropping its first skip characters. A list that
// consumes fewer characters than t has leaves the rest without a place, as in
// the reference library.
func (t text) transform(list []change, skip int) text {
	out := make(text, 0, len(list))
	at := skip
	for _, c := range list {
		var place char
		switch {
		case c.n > 0 && at > 0 && at <= len(t):
			place = t[at-1]
		case c.n > 0 && len(t) > 0:
			place = char{0, t[0].start, t[0].start}
		case c.n <= 0 && at < len(t):
			place = t[at]
			at += 1 - c.n
		}
		out = append(out, char{c.r, place.start, place.end})
	}
	return out
}

// prepend puts s before a text that is not empty; all of s shares the place of
// the first character.
func (t text) prepend(s string) text {
	if len(t) == 0 || s == "" {
		return t
	}
	out := make(text, 0, len(t)+len(s))
	for _, r := range s {
		out = append(out, char{r, t[0].start, t[0].end})
	}
	return append(out, t...)
}
