package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

func init() { preTokenizers.register("Metaspace", parseMetaspace) }

// metaspace is tokenizers' pre_tokenizers/metaspace.rs: blanks become a mark,
// a mark begins the text, and words begin at marks.
type metaspace struct {
	mark   rune
	scheme string // always, first (piece of the text) or never
	words  bool
}

func parseMetaspace(raw json.RawMessage) (preTokenizer, error) {
	c := struct {
		Replacement string  `json:"replacement"`
		Prefix      *bool   `json:"add_prefix_space"`
		Scheme      *string `json:"prepend_scheme"`
		Split       *bool   `json:"split"`
	}{Replacement: "▁"}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	mark, n := utf8.DecodeRuneInString(c.Replacement)
	if n == 0 || n != len(c.Replacement) {
		return nil, fmt.Errorf("%w: the replacement must be one character", ErrFormat)
	}
	m := metaspace{mark: mark, scheme: "always", words: orTrue(c.Split)}
	switch {
	case c.Scheme != nil:
		m.scheme = *c.Scheme
	case !orTrue(c.Prefix):
		m.scheme = "never"
	}
	if m.scheme != "always" && m.scheme != "first" && m.scheme != "never" {
		return nil, fmt.Errorf("%w: prepend_scheme %.20q is not always, first or never", ErrFormat, m.scheme)
	}
	return m, nil
}

func (m metaspace) split(pieces []piece) ([]piece, error) {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		if p.added {
			out = append(out, p)
			continue
		}
		t := p.chars
		for i, c := range t {
			if c.r == ' ' {
				t[i].r = m.mark
			}
		}
		if t[0].r != m.mark && (m.scheme == "always" || m.scheme == "first" && t[0].start == 0) {
			t = t.prepend(string(m.mark))
		}
		from := 0
		for i := 1; m.words && i < len(t); i++ {
			if t[i].r == m.mark {
				out = append(out, piece{chars: t[from:i:i]})
				from = i
			}
		}
		out = append(out, piece{chars: t[from:]})
	}
	return out, nil
}
