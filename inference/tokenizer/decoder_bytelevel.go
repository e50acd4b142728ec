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
	if s := b.add(rawBytes(p.s), false); s != "" {
		out(part{s, !b.begun, false})
		b.begun = true
	}
}

func (b *byteLevelStage) flush(out func(part)) { out(part{b.add(nil, true), !b.begun, true}) }
