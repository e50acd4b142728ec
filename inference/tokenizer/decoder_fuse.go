package tokenizer

import "encoding/json"

func init() {
	decoders.register("Fuse", func(json.RawMessage) (decoder, error) { return fuseDecoder{}, nil })
}

// fuseDecoder makes one token of all.
type fuseDecoder struct{}

func (fuseDecoder) start() stage { return &fuseStage{} }

type fuseStage struct{ begun bool }

func (f *fuseStage) push(p part, out func(part)) {
	if p.s != "" {
		out(part{p.s, !f.begun, false})
		f.begun = true
	}
}

func (f *fuseStage) flush(out func(part)) { out(part{"", !f.begun, true}) }
