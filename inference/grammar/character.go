package grammar

import (
	"fmt"
	"unicode/utf8"
)

// runes are characters, as pairs of first and last, in order.
type runes []rune

var anyRune = runes{0, utf8.MaxRune}

// without is what r has and others, in order, have not.
func (r runes) without(others runes) runes {
	var out runes
	for i := 0; i < len(r); i += 2 {
		lo, hi := r[i], r[i+1]
		for k := 0; k < len(others) && lo <= hi; k += 2 {
			if a, b := others[k], others[k+1]; b >= lo && a <= hi {
				if a > lo {
					out = append(out, lo, a-1)
				}
				lo = b + 1
			}
		}
		if lo <= hi {
			out = append(out, lo, hi)
		}
	}
	return out
}

func (r runes) has(c rune) bool {
	for i := 0; i < len(r); i += 2 {
		if r[i] <= c && c <= r[i+1] {
			return true
		}
	}
	return false
}

// character is a rule that reads one character of a class: as it is or, within a JSON text,
// in the forms that RFC 8259 has for it.
func (b *builder) character(class runes, json bool) int32 {
	key := fmt.Sprint(json, class)
	if r, ok := b.classes[key]; ok {
		return r
	}
	id := b.rule()
	b.classes[key] = id
	r := b.rules[id]
	if !json {
		b.utf8(r.start, r.end, class)
		return id
	}
	b.utf8(r.start, r.end, class.without(runes{0, 0x1F, '"', '"', '\\', '\\'}))
	for _, s := range [][2]byte{{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}} {
		if class.has(rune(s[0])) {
			b.literal(r.start, r.end, `\`+string(s[1]))
		}
	}
	if class[0] == 0 && class[1] == utf8.MaxRune {
		b.escaped(r.start, r.end)
		return id
	}
	for c := range rune(0x20) {
		if class.has(c) {
			b.literal(r.start, r.end, fmt.Sprintf(`\u%04x`, c))
		}
	}
	return id
}

// escaped reads \u and four digits, or two of them that make one character.
func (b *builder) escaped(from, to int32) {
	hex := [][2]byte{{'0', '9'}, {'a', 'f'}, {'A', 'F'}}
	surrogate := [][2]byte{{'d', 'd'}, {'D', 'D'}}
	read := func(from, to int32, digits ...[][2]byte) {
		for i, ranges := range digits {
			next := to
			if i < len(digits)-1 {
				next = b.state()
			}
			for _, r := range ranges {
				b.edge(from, next, r[0], r[1])
			}
			from = next
		}
	}
	at, second := b.state(), b.state()
	b.literal(from, at, `\u`)
	read(at, to, [][2]byte{{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}, hex, hex, hex)
	read(at, to, surrogate, [][2]byte{{'0', '7'}}, hex, hex)
	read(at, second, surrogate, [][2]byte{{'8', '9'}, {'a', 'b'}, {'A', 'B'}}, hex, hex)
	third := b.state()
	b.literal(second, third, `\u`)
	read(third, to, surrogate, [][2]byte{{'c', 'f'}, {'C', 'F'}}, hex, hex)
}

// utf8 reads one character of a class.
func (b *builder) utf8(from, to int32, class runes) {
	class = class.without(runes{0xD800, 0xDFFF})
	for i := 0; i < len(class); i += 2 {
		lo := class[i]
		for _, last := range []rune{0x7F, 0x7FF, 0xFFFF, utf8.MaxRune} { // of one, two, three and four bytes
			if hi := min(class[i+1], last); lo <= hi {
				b.sequence(from, to, lo, hi)
				lo = hi + 1
			}
		}
	}
}

// sequence reads characters lo to hi, which have equally many bytes: it splits the range
// until the bytes of its ends bound those between them one by one.
func (b *builder) sequence(from, to int32, lo, hi rune) {
	for shift := 6; shift <= 18 && lo >= 0x80; shift += 6 {
		low := rune(1)<<shift - 1
		if lo&^low == hi&^low {
			break
		}
		if lo&low != 0 {
			b.sequence(from, to, lo, lo|low)
			b.sequence(from, to, (lo|low)+1, hi)
			return
		}
		if hi&low != low {
			b.sequence(from, to, lo, hi&^low-1)
			b.sequence(from, to, hi&^low, hi)
			return
		}
	}
	first, last := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	for i := range first {
		next := to
		if i < len(first)-1 {
			next = b.state()
		}
		b.edge(from, next, first[i], last[i])
		from = next
	}
}
