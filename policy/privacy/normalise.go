package privacy

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalised is a text as recognisers see it, with the way back to the
// characters of the original.
type normalised struct {
	text  string
	lower string // for context words, made on first use; same length as text
	// marks[i] says that byte marks[i].at of text begins character marks[i].char
	// of the original; between marks, characters are single bytes on both sides.
	marks []mark
	cache map[window][]stretch
}

// stretch is one window: bytes of text, and the digits in it where that counts.
type stretch struct{ start, end, digits int }

type mark struct{ at, char int }

// normalise maps look-alike digits, letters and signs to ASCII and drops
// characters without width. Bytes that are not UTF-8 count one character each,
// as they do when a string is converted to runes.
func normalise(s string) *normalised {
	n := &normalised{cache: map[window][]stretch{}}
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		n.text, n.marks = s, []mark{{0, 0}}
		return n
	}
	var b strings.Builder
	b.Grow(len(s))
	char := 0
	aligned := false // the last mark still describes the current place
	for _, r := range s {
		m := fold(r)
		if m < 0 {
			char++
			aligned = false
			continue
		}
		if !aligned || m >= utf8.RuneSelf {
			n.marks = append(n.marks, mark{b.Len(), char})
		}
		b.WriteRune(m)
		aligned = m < utf8.RuneSelf
		char++
	}
	n.marks = append(n.marks, mark{b.Len(), char})
	n.text = b.String()
	return n
}

// fold maps one character: -1 drops it.
func fold(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case r >= 0xFF01 && r <= 0xFF5E: // full-width forms
		return r - 0xFF01 + '!'
	case r == 0x3000 || r == 0xA0 || r == 0x2009 || r == 0x202F || r == 0x2007:
		return ' '
	case r >= 0x2010 && r <= 0x2015 || r == 0x2212 || r == 0xFE63: // hyphens, dashes, minus
		return '-'
	case r >= 0x1D7CE && r <= 0x1D7FF: // mathematical digits, five alphabets
		return '0' + (r-0x1D7CE)%10
	case unicode.Is(unicode.Cf, r) || r == 0x034F || r >= 0xFE00 && r <= 0xFE0F:
		return -1 // zero-width, soft hyphen, direction marks, variation selectors
	case unicode.Is(unicode.Nd, r):
		// Decimal digits come in runs of ten; the value is the distance from the
		// first of the run.
		v := rune(0)
		for v < 9 && unicode.Is(unicode.Nd, r-v-1) {
			v++
		}
		return '0' + v
	}
	return r
}

// char is the number of the original character at a byte of text.
func (n *normalised) char(at int) int {
	i := sort.Search(len(n.marks), func(i int) bool { return n.marks[i].at > at }) - 1
	m := n.marks[i]
	return m.char + (at - m.at)
}

// charEnd is the number of the character behind the one that ends at a byte of
// text, so that dropped characters after a finding stay outside of it.
func (n *normalised) charEnd(end int) int {
	at := end - 1
	for at > 0 && !utf8.RuneStart(n.text[at]) {
		at--
	}
	return n.char(at) + 1
}

// near reports whether a context word stands within contextReach bytes before.
// Words of letters must stand alone; others (Chinese) may touch.
func (n *normalised) near(start int, words []string) bool {
	if n.lower == "" {
		n.lower = lowerASCII(n.text)
	}
	from := max(0, start-contextReach)
	part := n.lower[from:start]
	for _, w := range words {
		for at := 0; ; {
			i := strings.Index(part[at:], w)
			if i < 0 {
				break
			}
			i += at
			before := i == 0 || !isWord(part[i-1])
			after := i+len(w) >= len(part) || !isWord(part[i+len(w)])
			if before && after || w[0] >= utf8.RuneSelf {
				return true
			}
			at = i + 1
		}
	}
	return false
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// windows returns the byte ranges of text that a kind of recogniser looks into.
func (n *normalised) windows(w window) []stretch {
	if out, ok := n.cache[w]; ok {
		return out
	}
	var out []stretch
	switch w {
	case aroundAt:
		out = n.atWindows()
	case aroundDigits:
		out = n.runs(digitClass, 6)
	case aroundAddress:
		out = n.runs(addressClass, 3)
	case aroundScheme:
		out = n.schemeWindows()
	}
	n.cache[w] = out
	return out
}

// Classes of bytes in windows: 0 outside, 1 inside, 2 inside and counted.
var digitClass, addressClass = classes()

func classes() (digits, address [256]byte) {
	for c := range 256 {
		b := byte(c)
		switch {
		case b >= '0' && b <= '9':
			digits[c], address[c] = 2, 2
		case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
			digits[c], address[c] = 1, 2
		case b >= 'g' && b <= 'z' || b >= 'G' && b <= 'Z':
			digits[c] = 1
		case strings.IndexByte(" -+./()\n", b) >= 0:
			digits[c] = 3 // a separator: inside only next to other members
		case b == ':' || b == '.' || b == '-' || b == '/':
			address[c] = 1
		}
	}
	address['.'], address['-'], address['/'] = 1, 1, 1
	return digits, address
}

// runs returns the maximal runs of class members that hold at least min counted
// bytes. In the digit class a run ends at a word without a digit that is longer
// than four letters, so that prose does not become one window.
func (n *normalised) runs(class [256]byte, least int) []stretch {
	var out []stretch
	start, counted := -1, 0
	flush := func(end int) {
		if start >= 0 && counted >= least {
			out = append(out, stretch{start, end, counted})
		}
		start, counted = -1, 0
	}
	letters := 0
	for i := range len(n.text) {
		switch class[n.text[i]] {
		case 0:
			flush(i)
			letters = 0
			continue
		case 1:
			letters++
			if letters > 6 {
				flush(i)
				continue
			}
		case 2:
			counted++
			letters = 0
		case 3:
			if letters > 4 {
				flush(i)
			}
			letters = 0
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(n.text))
	return out
}

// atWindows returns the text around each '@', at most 64 bytes before and 255
// behind it, as far as the characters may belong to an address.
func (n *normalised) atWindows() []stretch {
	var out []stretch
	last := 0
	for at := strings.IndexByte(n.text, '@'); at >= 0; {
		start, end := at, at+1
		for start > last && at-start < 64 && isMailByte(n.text[start-1]) {
			start--
		}
		for end < len(n.text) && end-at < 256 && isMailByte(n.text[end]) {
			end++
		}
		out = append(out, stretch{start: start, end: end})
		last = end
		next := strings.IndexByte(n.text[end:], '@')
		if next < 0 {
			break
		}
		at = end + next
	}
	return out
}

// schemeWindows returns the text from up to 5 bytes before each "://" to the
// next space, at most 2,048 bytes.
func (n *normalised) schemeWindows() []stretch {
	var out []stretch
	last := 0
	for {
		i := strings.Index(n.text[last:], "://")
		if i < 0 {
			return out
		}
		at := last + i
		start, end := at, at+3
		for start > last && at-start < 5 && isWord(n.text[start-1]) {
			start--
		}
		for end < len(n.text) && end-at < 2048 && n.text[end] > ' ' {
			end++
		}
		for end < len(n.text) && !utf8.RuneStart(n.text[end]) {
			end--
		}
		out = append(out, stretch{start: start, end: end})
		last = end
	}
}

// isMailByte: letters, digits, the signs of a dot-atom, and every byte of a
// letter outside ASCII (internationalised addresses).
func isMailByte(c byte) bool {
	return isWord(c) || c >= utf8.RuneSelf || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) >= 0
}
