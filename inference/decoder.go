package inference

import (
	"fmt"

	"vitrine/inference/family"
)

// feedRow names the row of the output that a target lies in.
const feedRow = "target row"

// decoder is what the example's decoder has written so far; nil for networks without one.
func (m *Model) decoder(e *Example) []int32 {
	if m.desc.MaxDecoder > 0 && e.Decoder == nil {
		return []int32{m.desc.DecoderStart}
	}
	return e.Decoder
}

// decoderShape checks what the decoder has written and counts it.
func (m *Model) decoderShape(e *Example) (int, error) {
	if e.Decoder != nil && (len(e.Decoder) == 0 || len(e.Decoder) > m.desc.MaxDecoder) {
		return 0, fmt.Errorf("%w: %d decoder tokens, the model takes up to %d", ErrInput, len(e.Decoder), m.desc.MaxDecoder)
	}
	for _, id := range e.Decoder {
		if id < 0 || int(id) >= m.desc.Vocab {
			return 0, fmt.Errorf("%w: decoder id %d outside the vocabulary of %d", ErrInput, id, m.desc.Vocab)
		}
	}
	return len(m.decoder(e)), nil
}

// generates says whether the network continues texts.
func (m *Model) generates() bool {
	_, ok := m.net.(family.Generator)
	return ok
}

// next names the element of a generating network's output that is predicted to come next; nil for other networks.
func (m *Model) next(output Tensor) []int {
	if !m.generates() {
		return nil
	}
	t, v := output.Shape[0], output.Shape[1]
	return []int{t - 1, argmax(output.Data[(t-1)*v:])}
}
