package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode"
)

func init() {
	normalizers.register("Prepend", parsePrepend)
	normalizers.register("Strip", parseStrip)
	normalizers.register("Lowercase", func(json.RawMessage) (normalizer, error) { return normalizerFunc(lowercase), nil })
	normalizers.register("StripAccents", func(json.RawMessage) (normalizer, error) { return normalizerFunc(stripAccents), nil })
	normalizers.register("Nmt", func(json.RawMessage) (normalizer, error) { return normalizerFunc(nmt), nil })
	normalizers.register("Replace", parseReplace)
}

// normalizerFunc is a normalizer without settings.
type normalizerFunc func(text) text

func (f normalizerFunc) normalize(t text) (text, error) { return f(t), nil }

func parsePrepend(raw json.RawMessage) (normalizer, error) {
	c := struct {
		Prepend string `json:"prepend"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	if len(c.Prepend) > maxEntryBytes {
		return nil, fmt.Errorf("%w: the text to prepend is longer than %d bytes", ErrFormat, maxEntryBytes)
	}
	return normalizerFunc(func(t text) text { return t.prepend(c.Prepend) }), nil
}

func parseStrip(raw json.RawMessage) (normalizer, error) {
	c := struct {
		Left  *bool `json:"strip_left"`
		Right *bool `json:"strip_right"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	return normalizerFunc(func(t text) text {
		for orTrue(c.Left) && len(t) > 0 && unicode.IsSpace(t[0].r) {
			t = t[1:]
		}
		for orTrue(c.Right) && len(t) > 0 && unicode.IsSpace(t[len(t)-1].r) {
			t = t[:len(t)-1]
		}
		return t
	}), nil
}

func stripAccents(t text) text {
	return t.filter(func(r rune) bool {
		return !(r == 0x1CF2 || r == 0x1CF3 || r >= 0x300 && unicode.Is(unicode.M, r) && !unicode.Is(laterMarks, r))
	})
}

// nmt drops control characters and makes blanks of other white space, as
// tokenizers' normalizers/unicode.rs.
func nmt(t text) text {
	t = t.filter(func(r rune) bool {
		return !(r >= 1 && r <= 8 || r == 0xB || r >= 0xE && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F)
	})
	for i, c := range t {
		switch r := c.r; {
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029,
			r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			t[i].r = ' '
		}
	}
	return t
}

// replace writes content for every match; all of it takes the place of the
// last character of the match.
type replace struct {
	pattern pattern
	content []rune
}

func parseReplace(raw json.RawMessage) (normalizer, error) { return parseReplacement(raw) }

func parseReplacement(raw json.RawMessage) (replace, error) {
	c := struct {
		Pattern json.RawMessage `json:"pattern"`
		Content string          `json:"content"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return replace{}, err
	}
	if len(c.Content) > maxEntryBytes {
		return replace{}, fmt.Errorf("%w: the replacement is longer than %d bytes", ErrFormat, maxEntryBytes)
	}
	p, err := parsePattern(c.Pattern)
	return replace{p, []rune(c.Content)}, err
}

func (r replace) normalize(t text) (text, error) {
	if one, ok := r.pattern.(literal); ok && len(one) == 1 && len(r.content) == 1 {
		for i, c := range t {
			if c.r == one[0] {
				t[i].r = r.content[0]
			}
		}
		return t, nil
	}
	var out text
	done := 0
	err := eachMatch(r.pattern, t, func(from, to int) {
		out = append(out, t[done:from]...)
		if to > 0 {
			for _, c := range r.content {
				out = append(out, char{c, t[to-1].start, t[to-1].end})
			}
		}
		done = to
	})
	return append(out, t[done:]...), err
}
