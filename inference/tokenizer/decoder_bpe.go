package tokenizer

import (
	"encoding/json"
	"strings"
)

func init() { decoders.register("BPEDecoder", parseBPEDecoder) }

// bpeDecoder turns the mark at the end of a word into a blank; the blank of the
// last word is left out, so one token is always held back.
type bpeDecoder struct{ suffix string }

func parseBPEDecoder(raw json.RawMessage) (decoder, error) {
	c := struct {
		Suffix *string `json:"suffix"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	d := bpeDecoder{suffix: "</w>"}
	if c.Suffix != nil {
		d.suffix = *c.Suffix
	}
	return d, nil
}

func (d bpeDecoder) start() stage {
	s := &bpeStage{d: d}
	s.whole = &tokenwiseStage{fn: func(_ int, token string) string { return token }}
	return s
}

type bpeStage struct {
	d     bpeDecoder
	whole stage
	held  *string
}

func (b *bpeStage) push(p part, out func(part)) {
	b.whole.push(p, func(p part) {
		b.give(" ", out)
		b.held = &p.s
	})
}

func (b *bpeStage) give(blank string, out func(part)) {
	if b.held != nil {
		out(part{strings.ReplaceAll(*b.held, b.d.suffix, blank), true, true})
		b.held = nil
	}
}

func (b *bpeStage) flush(out func(part)) { b.give("", out) }
