package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

func init() { normalizers.register("Precompiled", parsePrecompiled) }

// charsmap is SentencePiece's precompiled_charsmap: a double-array trie (darts-clone)
// from byte strings to places in a list of replacements that end in NUL.
type charsmap struct {
	units []uint32
	texts []byte
}

// maxCharsmap bounds it; the largest published one has 320 kB.
const maxCharsmap = 8 << 20

// newCharsmap reads a little-endian size, the trie and the replacements.
func newCharsmap(raw []byte) (*charsmap, error) {
	if len(raw) < 4 || len(raw) > maxCharsmap {
		return nil, fmt.Errorf("%w: a character map of %d bytes (4 to %d are allowed)", ErrFormat, len(raw), maxCharsmap)
	}
	n := int64(binary.LittleEndian.Uint32(raw))
	raw = raw[4:]
	if n%4 != 0 || n == 0 || n > int64(len(raw)) {
		return nil, fmt.Errorf("%w: the character map claims a trie of %d bytes and has %d", ErrFormat, n, len(raw))
	}
	m := &charsmap{texts: raw[n:]}
	for ; n > 0; n, raw = n-4, raw[4:] {
		m.units = append(m.units, binary.LittleEndian.Uint32(raw))
	}
	if !utf8.Valid(m.texts) {
		return nil, fmt.Errorf("%w: the replacements of the character map are not valid UTF-8", ErrFormat)
	}
	return m, nil
}

// prefixes calls f for every key that s begins with, shortest first, until f
// says stop. A trie that points outside itself has no further keys.
func (m *charsmap) prefixes(s string, f func(n int, replacement string) bool) {
	offset := func(u uint32) uint32 { return (u >> 10) << ((u & (1 << 9)) >> 6) }
	at := offset(m.units[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		at ^= uint32(s[i])
		if int64(at) >= int64(len(m.units)) {
			return
		}
		u := m.units[at]
		if u&(1<<31|0xFF) != uint32(s[i]) {
			return
		}
		at ^= offset(u)
		if u>>8&1 == 0 {
			continue
		}
		if int64(at) >= int64(len(m.units)) {
			return
		}
		if text, ok := m.text(m.units[at] &^ (1 << 31)); !ok || !f(i+1, text) {
			return
		}
	}
}

func (m *charsmap) text(from uint32) (string, bool) {
	if int64(from) > int64(len(m.texts)) {
		return "", false
	}
	for to := int(from); to < len(m.texts); to++ {
		if m.texts[to] == 0 {
			return string(m.texts[from:to]), true
		}
	}
	return string(m.texts[from:]), true
}

// shortest is what the reference library takes: the first key found, even
// where it is only the beginning of s.
func (m *charsmap) shortest(s string) (replacement string, ok bool) {
	m.prefixes(s, func(_ int, text string) bool {
		replacement, ok = text, true
		return false
	})
	return replacement, ok
}

// longest is what SentencePiece takes; n is 0 for no key.
func (m *charsmap) longest(s string) (replacement string, n int) {
	m.prefixes(s, func(size int, text string) bool {
		replacement, n = text, size
		return true
	})
	return replacement, n
}

// precompiled is tokenizers' normalizers/precompiled.rs: grapheme clusters of
// up to five bytes as a whole, everything else character by character.
type precompiled struct{ m *charsmap }

func parsePrecompiled(raw json.RawMessage) (normalizer, error) {
	c := struct {
		Map string `json:"precompiled_charsmap"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	if len(c.Map) > 2*maxCharsmap {
		return nil, fmt.Errorf("%w: the character map is larger than %d bytes", ErrFormat, maxCharsmap)
	}
	blob, err := base64.StdEncoding.DecodeString(c.Map)
	if err != nil {
		return nil, fmt.Errorf("%w: the character map is not base64", ErrFormat)
	}
	m, err := newCharsmap(blob)
	if err != nil {
		return nil, err
	}
	return precompiled{m}, nil
}

func (p precompiled) normalize(t text) (text, error) {
	list := make([]change, 0, len(t))
	modified := false
	put := func(replacement string, old int) {
		modified = true
		list = replaced(list, replacement, old)
	}
	for from := 0; from < len(t); {
		to := cluster(t, from)
		part := t[from:to]
		if s := part.String(); len(s) < 6 {
			if r, ok := p.m.shortest(s); ok {
				put(r, len(part))
				from = to
				continue
			}
		}
		for _, c := range part {
			if r, ok := p.m.shortest(string(c.r)); ok {
				put(r, 1)
			} else {
				list = append(list, change{c.r, 0})
			}
		}
		from = to
	}
	if !modified {
		return t, nil
	}
	return t.transform(list, 0), nil
}

// replaced appends a replacement of old characters. Characters beyond old are
// insertions; characters too few are dropped with the last one of the list,
// whichever that is, as in the reference library.
func replaced(list []change, replacement string, old int) []change {
	n := 0
	for _, r := range replacement {
		list = append(list, change{r, 0})
		n++
	}
	for i := range n - old {
		list[len(list)-1-i].n = 1
	}
	if n < old && len(list) > 0 {
		list[len(list)-1].n -= old - n
	}
	return list
}

// cluster is the end of the grapheme cluster that begins at from (UAX 29), as
// far as clusters of up to five bytes need it.
func cluster(t text, from int) int {
	r := t[from].r
	at := from + 1
	if r == '\r' && at < len(t) && t[at].r == '\n' {
		return at + 1
	}
	if isBreak(r) {
		return at
	}
	for ; isPrepended(r) && at < len(t) && !isBreak(t[at].r); at++ {
		r = t[at].r
	}
	return t.run(at, extends)
}

// isBreak: a control character stands alone.
func isBreak(r rune) bool {
	if r < 0x7F {
		return r < 0x20
	}
	if r == 0x200C || r == 0x200D || isPrepended(r) || r >= 0xE0020 && r <= 0xE007F {
		return false
	}
	return r <= 0x9F || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r >= 0xE0000 && r <= 0xE0FFF && !unicode.Is(unicode.Mn, r)
}

func isPrepended(r rune) bool {
	switch r {
	case 0xD4E, 0x111C2, 0x111C3, 0x113D1, 0x1193F, 0x11941, 0x11A3A, 0x11D46, 0x11F02:
		return true
	}
	return r >= 0x600 && (unicode.Is(unicode.Prepended_Concatenation_Mark, r) || r >= 0x11A84 && r <= 0x11A89)
}

// extends: marks, joiners and skin tones belong to what stands before them.
func extends(r rune) bool {
	if r < 0x300 {
		return false
	}
	switch r {
	case 0x200C, 0x200D, 0xE33, 0xEB3, 0xFF9E, 0xFF9F:
		return true
	case 0x102B, 0x102C, 0x1038, 0x1062, 0x1063, 0x1064, 0x1067, 0x1068, 0x1069, 0x106A, 0x106B, 0x106C, 0x106D, 0x1083,
		0x1087, 0x1088, 0x1089, 0x108A, 0x108B, 0x108C, 0x108F, 0x109A, 0x109B, 0x109C, 0x1A61, 0x1A63, 0x1A64, 0xAA7B, 0xAA7D, 0x11720, 0x11721:
		return false // spacing marks that UAX 29 leaves out
	}
	return unicode.Is(unicode.M, r) || r >= 0x1F3FB && r <= 0x1F3FF || r >= 0xE0020 && r <= 0xE007F
}
