package tokenizer

import (
	"encoding/json"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func init() {
	form := func(name string, f func(text) text) {
		normalizers.register(name, func(json.RawMessage) (normalizer, error) { return normalizerFunc(f), nil })
	}
	form("NFD", decompose)
	form("NFC", func(t text) text {
		return rewrite(t, func() []change { return compose(canonical(t, norm.NFD)) })
	})
	form("NFKD", func(t text) text { return rewrite(t, func() []change { return canonical(t, norm.NFKD) }) })
	form("NFKC", func(t text) text {
		return rewrite(t, func() []change { return compose(canonical(t, norm.NFKD)) })
	})
}

// rewrite leaves ASCII alone.
func rewrite(t text, changes func() []change) text {
	plain := true
	for _, c := range t {
		if c.r >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return t
	}
	return t.transform(changes(), 0)
}

// decompose is NFD. Reordered marks take the places of the characters they
// push aside, one after another, as the reference library's alignments do.
func decompose(t text) text { return t.transform(canonical(t, norm.NFD), 0) }

// canonical is the decomposition of t under form (NFD or NFKD) in canonical
// order: the first character of each decomposition replaces the old one, the
// others are inserted.
func canonical(t text, form norm.Form) []change {
	type mark struct {
		change
		class uint8
	}
	out := make([]change, 0, len(t)+len(t)/8)
	var run []mark
	flush := func() {
		slices.SortStableFunc(run, func(a, b mark) int { return int(a.class) - int(b.class) })
		for _, m := range run {
			out = append(out, m.change)
		}
		run = run[:0]
	}
	add := func(r rune, n int) {
		class := combiningClass(r)
		if class == 0 {
			flush()
			out = append(out, change{r, n})
			return
		}
		run = append(run, mark{change{r, n}, class})
	}
	for _, c := range t {
		decomposeRune(c.r, form, add)
	}
	flush()
	return out
}

func combiningClass(r rune) uint8 {
	if r < 0x300 || unicode.Is(laterClasses, r) {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
const (
	hangulS, hangulL, hangulV, hangulT             = 0xAC00, 0x1100, 0x1161, 0x11A7
	hangulLCount, hangulVCount, hangulTCount, sEnd = 19, 21, 28, hangulS + 11172
)

// decomposeRune gives the full decomposition of r, with n 0 for the first and
// 1 for each further character.
func decomposeRune(r rune, form norm.Form, add func(r rune, n int)) {
	if r < 0xA0 {
		add(r, 0)
		return
	}
	if r >= hangulS && r < sEnd {
		s := r - hangulS
		add(hangulL+s/(hangulVCount*hangulTCount), 0)
		add(hangulV+s%(hangulVCount*hangulTCount)/hangulTCount, 1)
		if s%hangulTCount != 0 {
			add(hangulT+s%hangulTCount, 1)
		}
		return
	}
	if unicode.Is(laterDecompositions, r) {
		add(r, 0)
		return
	}
	var b [utf8.UTFMax]byte
	d := form.Properties(b[:utf8.EncodeRune(b[:], r)]).Decomposition()
	if len(d) == 0 {
		add(r, 0)
		return
	}
	for n := 0; len(d) > 0; n = 1 {
		x, size := utf8.DecodeRune(d)
		add(x, n)
		d = d[size:]
	}
}

// compose joins what canonical took apart (The Unicode Standard, section 3.11,
// D117). A composed character drops the places of those it absorbs.
func compose(list []change) []change {
	out := list[:0:0]
	starter := -1 // place in out of the last starter
	class := -1   // class of the last character kept behind it, -1 for none
	for _, c := range list {
		ccc := int(combiningClass(c.r))
		if starter >= 0 && class < ccc && (class != 0 || ccc == 0) {
			if r, ok := composePair(out[starter].r, c.r); ok && (class < 0 || ccc != 0) {
				out[starter].r = r
				out[starter].n += c.n - 1
				continue
			}
		}
		if ccc == 0 {
			starter, class = len(out), -1
		} else {
			class = ccc
		}
		out = append(out, c)
	}
	return out
}

// composePair is the primary composite of a and b.
func composePair(a, b rune) (rune, bool) {
	if b < 0x300 {
		return 0, false
	}
	if a >= hangulL && a < hangulL+hangulLCount && b >= hangulV && b < hangulV+hangulVCount {
		return hangulS + ((a-hangulL)*hangulVCount+b-hangulV)*hangulTCount, true
	}
	if a >= hangulS && a < sEnd && (a-hangulS)%hangulTCount == 0 && b > hangulT && b < hangulT+hangulTCount {
		return a + b - hangulT, true
	}
	if a >= hangulS && a < sEnd {
		return 0, false
	}
	s := norm.NFC.String(string([]rune{a, b}))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s) && !unicode.Is(laterDecompositions, r)
}
