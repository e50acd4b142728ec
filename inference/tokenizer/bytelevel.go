package tokenizer

import (
	"encoding/json"
	"unicode"
)

func init() {
	preTokenizers.register("ByteLevel", func(raw json.RawMessage) (preTokenizer, error) {
		c, err := parseByteLevel(raw)
		return byteLevel{prefix: orTrue(c.AddPrefixSpace), words: orTrue(c.UseRegex)}, err
	})
	postProcessors.register("ByteLevel", func(raw json.RawMessage) (postProcessor, error) {
		c, err := parseByteLevel(raw)
		return byteLevelTrim{trims: orTrue(c.TrimOffsets), prefixed: orTrue(c.AddPrefixSpace)}, err
	})
	normalizers.register("ByteLevel", func(json.RawMessage) (normalizer, error) { return normalizerFunc(inBytes), nil })
	for b := range 256 {
		r := rune(b)
		if !standsForItself(byte(b)) {
			r = 256 + rune(len(borrowed))
			borrowed = append(borrowed, byte(b))
		}
		byteRunes[b] = r
	}
}

type byteLevelConfig struct {
	AddPrefixSpace *bool `json:"add_prefix_space"`
	TrimOffsets    *bool `json:"trim_offsets"`
	UseRegex       *bool `json:"use_regex"`
}

func parseByteLevel(raw json.RawMessage) (c byteLevelConfig, err error) {
	return c, decodeJSON(raw, &c)
}

// The characters that stand for bytes in byte-level vocabularies (GPT-2's
// bytes_to_unicode): printable Latin-1 for itself, the rest from U+0100 on.
var (
	byteRunes [256]rune
	borrowed  []byte // U+0100+i stands for borrowed[i]
)

func standsForItself(b byte) bool {
	return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE
}

// byteOf is the byte that r stands for.
func byteOf(r rune) (byte, bool) {
	if r < 256 {
		return byte(r), r >= 0 && standsForItself(byte(r))
	}
	if i := int(r) - 256; i < len(borrowed) {
		return borrowed[i], true
	}
	return 0, false
}

// inBytes writes every byte of t as its stand-in; all bytes of a character
// keep its place.
func inBytes(t text) text {
	out := make(text, 0, len(t)+len(t)/8)
	var buffer [4]byte
	for _, c := range t {
		if c.r < 0x80 {
			out = append(out, char{byteRunes[c.r], c.start, c.end})
			continue
		}
		for _, b := range appendRune(buffer[:0], c.r) {
			out = append(out, char{byteRunes[b], c.start, c.end})
		}
	}
	return out
}

// byteLevel is tokenizers' pre_tokenizers/byte_level.rs.
type byteLevel struct{ prefix, words bool }

func (b byteLevel) split(pieces []piece) ([]piece, error) {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		if p.added {
			out = append(out, p)
			continue
		}
		t := p.chars
		if b.prefix && t[0].r != ' ' {
			t = t.prepend(" ")
		}
		for from := 0; from < len(t); {
			to := len(t)
			if b.words {
				to = nextGPT2(t, from)
			}
			out = append(out, piece{chars: inBytes(t[from:to])})
			from = to
		}
	}
	return out, nil
}

// byteLevelTrim takes blanks out of the offsets of a token.
type byteLevelTrim struct{ trims, prefixed bool }

func (b byteLevelTrim) inserted(bool) int { return 0 }

func (b byteLevelTrim) process(one, two []Token, pair, special bool) []Token {
	b.trim(one)
	b.trim(two)
	return append(one, two...)
}

func (b byteLevelTrim) trim(tokens []Token) {
	if !b.trims {
		return
	}
	blank := func(r rune) bool { return r == byteRunes[' '] || unicode.IsSpace(r) }
	for i := range tokens {
		t := &tokens[i]
		chars := []rune(t.Text)
		lead, trail := 0, 0
		for lead < len(chars) && blank(chars[lead]) {
			lead++
		}
		for trail < len(chars) && blank(chars[len(chars)-1-trail]) {
			trail++
		}
		if lead > 0 {
			if b.prefixed && (i == 0 || t.Start == 0) {
				lead-- // the one that was put before the text
			}
			t.Start = min(t.Start+lead, t.End)
		}
		if trail > 0 && t.End >= trail {
			t.End = max(t.End-trail, t.Start)
		}
	}
}
