package tokenizer

import "encoding/json"

func init() {
	decoders.register("ByteLevel", func(json.RawMessage) (decoder, error) { return byteLevelDecoder{}, nil })
}

// byteLevelDecoder turns the 256 stand-in characters back into bytes and reads
// all of them as UTF-8 (tokenizers' pre_tokenizers/byte_level.rs).
type byteLevelDecoder struct{}

func (byteLevelDecoder) start() stage { return &byteLevelStage{} }

type byteLevelStage struct {
	utf8Buffer
	begun bool
}

func (b *byteLevelStage) push(p part, out func(part)) {
	raw := make([]byte, 0, len(p.s))
	for _, r := range p.s {
		c, ok := byteOf(r)
		if !ok { // a token that is not written in stand-ins is text as it is
			raw = append(raw[:0], p.s...)
			break
		}
		raw = append(raw, c)
	}
	if s := b.add(raw, false); s != "" {
		out(part{s, !b.begun, false})
		b.begun = true
	}
}

func (b *byteLevelStage) flush(out func(part)) { out(part{b.add(nil, true), !b.begun, true}) }
