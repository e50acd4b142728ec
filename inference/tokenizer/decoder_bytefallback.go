package tokenizer

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

func init() {
	decoders.register("ByteFallback", func(json.RawMessage) (decoder, error) { return byteFallbackDecoder{}, nil })
}

// byteFallbackDecoder reads each run of <0x..> tokens as UTF-8; a run that is
// not valid gives one U+FFFD a byte. A run is therefore held back until it ends.
type byteFallbackDecoder struct{}

func (byteFallbackDecoder) start() stage {
	s := &byteFallbackStage{}
	s.whole = &tokenwiseStage{fn: func(_ int, token string) string { return token }}
	return s
}

type byteFallbackStage struct {
	whole stage
	run   []byte
}

func (b *byteFallbackStage) push(p part, out func(part)) {
	b.whole.push(p, func(p part) {
		if c, ok := fallbackByte(p.s); ok {
			b.run = append(b.run, c)
			return
		}
		b.flush(out)
		out(p)
	})
}

func (b *byteFallbackStage) flush(out func(part)) {
	if len(b.run) == 0 {
		return
	}
	if utf8.Valid(b.run) {
		out(part{string(b.run), true, true})
	} else {
		for range b.run {
			out(part{"\uFFFD", true, true})
		}
	}
	b.run = b.run[:0]
}

// fallbackByte reads <0x0A>. The reference's number parser takes a plus sign.
func fallbackByte(token string) (byte, bool) {
	if len(token) != 6 || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	digits := token[3:5]
	if digits[0] == '+' {
		digits = digits[1:]
	}
	c, err := strconv.ParseUint(digits, 16, 8)
	return byte(c), err == nil
}
