package tokenizer

import (
	"encoding/json"
	"slices"
	"unicode"
	"unicode/utf8"
)

func init() { normalizers.register("BertNormalizer", parseBertNormalizer) }

// bertNormalizer follows tokenizers/src/normalizers/bert.rs: clean, space out
// Chinese characters, strip accents, lower-case, in that order.
type bertNormalizer struct {
	clean, chinese, strip, lower bool
}

func parseBertNormalizer(raw json.RawMessage) (normalizer, error) {
	c := struct {
		CleanText          *bool `json:"clean_text"`
		HandleChineseChars *bool `json:"handle_chinese_chars"`
		StripAccents       *bool `json:"strip_accents"`
		Lowercase          *bool `json:"lowercase"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	return newBertNormalizer(orTrue(c.CleanText), orTrue(c.HandleChineseChars), c.StripAccents, orTrue(c.Lowercase)), nil
}

// newBertNormalizer: accents follow lower-casing where strip is absent.
func newBertNormalizer(clean, chinese bool, strip *bool, lower bool) bertNormalizer {
	n := bertNormalizer{clean: clean, chinese: chinese, strip: lower, lower: lower}
	if strip != nil {
		n.strip = *strip
	}
	return n
}

func orTrue(b *bool) bool { return b == nil || *b }

func (n bertNormalizer) normalize(t text) (text, error) {
	if n.clean {
		t = t.filter(func(r rune) bool { return r != 0 && r != utf8.RuneError && !isControl(r) })
		for i, c := range t {
			if unicode.IsSpace(c.r) {
				t[i].r = ' '
			}
		}
	}
	if n.chinese {
		t = spaceChinese(t)
	}
	if n.strip {
		t = decompose(t).filter(func(r rune) bool { return !isNonspacing(r) })
	}
	if n.lower {
		t = lowercase(t)
	}
	return t, nil
}

func isControl(r rune) bool { return r != '\t' && r != '\n' && r != '\r' && isOther(r) }

// isChinese follows the reference, its gap before U+2B920 included.
func isChinese(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4DBF, r >= 0x4E00 && r <= 0x9FFF, r >= 0xF900 && r <= 0xFAFF:
		return true
	case r >= 0x20000 && r <= 0x2A6DF, r >= 0x2A700 && r <= 0x2B73F, r >= 0x2B740 && r <= 0x2B81F,
		r >= 0x2B920 && r <= 0x2CEAF, r >= 0x2F800 && r <= 0x2FA1F:
		return true
	}
	return false
}

func spaceChinese(t text) text {
	if !slices.ContainsFunc(t, func(c char) bool { return isChinese(c.r) }) {
		return t
	}
	out := make(text, 0, len(t)+len(t)/2)
	for _, c := range t {
		if isChinese(c.r) {
			space := char{' ', c.start, c.end}
			out = append(out, space, c, space)
			continue
		}
		out = append(out, c)
	}
	return out
}

// lowercase applies the full mapping, of which only U+0130 is longer than one
// character.
func lowercase(t text) text {
	grow := 0
	for i, c := range t {
		if c.r == 0x130 {
			grow++
			continue
		}
		t[i].r = toLower(c.r)
	}
	if grow == 0 {
		return t
	}
	out := make(text, 0, len(t)+grow)
	for _, c := range t {
		if c.r == 0x130 {
			out = append(out, char{'i', c.start, c.end}, char{0x307, c.start, c.end})
			continue
		}
		out = append(out, c)
	}
	return out
}
