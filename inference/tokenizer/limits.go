package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// limits are the truncation and padding that a tokenizer.json asks for. Encode
// never applies them; EncodeAsFile does, for comparison with the reference.
type limits struct {
	truncate *truncation
	pad      *padding
}

type truncation struct {
	MaxLength int    `json:"max_length"`
	Strategy  string `json:"strategy"`
	Direction string `json:"direction"`
}

type padding struct {
	Strategy  json.RawMessage `json:"strategy"`
	Direction string          `json:"direction"`
	Multiple  int             `json:"pad_to_multiple_of"`
	ID        int32           `json:"pad_id"`
	TypeID    int32           `json:"pad_type_id"`
	Token     string          `json:"pad_token"`
	fixed     int             // 0: as long as the longest of the batch
}

// maxLimit bounds both lengths.
const maxLimit = 1 << 20

func parseLimits(truncate, pad json.RawMessage) (limits, error) {
	var l limits
	if err := decodeOptional(truncate, &l.truncate); err != nil {
		return l, err
	}
	if err := decodeOptional(pad, &l.pad); err != nil {
		return l, err
	}
	if t := l.truncate; t != nil && (t.MaxLength < 0 || t.MaxLength > maxLimit) {
		return l, fmt.Errorf("%w: truncation to %d tokens", ErrFormat, t.MaxLength)
	}
	if p := l.pad; p != nil {
		var fixed struct{ Fixed int }
		if json.Unmarshal(p.Strategy, &fixed) == nil {
			p.fixed = fixed.Fixed
		}
		if p.fixed < 0 || p.fixed > maxLimit || p.Multiple < 0 || p.Multiple > maxLimit {
			return l, fmt.Errorf("%w: padding to %d tokens", ErrFormat, p.fixed)
		}
	}
	return l, nil
}

func decodeOptional[T any](raw json.RawMessage, into **T) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	*into = new(T)
	return decodeJSON(raw, *into)
}

// FileEncoder is satisfied by tokenizers whose files carry truncation and
// padding; mask is 0 at padding.
type FileEncoder interface {
	EncodeAsFile(text string, pair *string, special bool) (e Encoding, mask []int32, err error)
}

// EncodeAsFile is what the reference library gives when nobody turns the
// file's truncation and padding off.
func (p *pipeline) EncodeAsFile(s string, pair *string, special bool) (Encoding, []int32, error) {
	a, b, err := p.both(s, pair)
	if err != nil {
		return Encoding{}, nil, err
	}
	if t := p.limits.truncate; t != nil {
		room := t.MaxLength
		if special && p.post != nil {
			room = max(0, room-p.post.inserted(pair != nil))
		}
		keepA, keepB := t.split(len(a), len(b), pair != nil, room)
		a, b = t.cut(a, keepA), t.cut(b, keepB)
	}
	tokens := p.join(a, b, pair != nil, special)
	mask := slices.Repeat([]int32{1}, len(tokens))
	if pad := p.limits.pad; pad != nil {
		tokens, mask = pad.apply(tokens, mask)
	}
	return Encoding{Tokens: tokens}, mask, nil
}

// split says how many tokens of each text stay (tokenizers' truncate_encodings).
func (t *truncation) split(a, b int, pair bool, room int) (int, int) {
	if a+b <= room {
		return a, b
	}
	excess := a + b - room
	switch {
	case !pair || t.Strategy == "OnlyFirst":
		return max(0, a-excess), b
	case t.Strategy == "OnlySecond":
		return a, max(0, b-excess)
	}
	short := min(a, b)
	long := max(short, room-short)
	if short+long > room {
		short = room / 2
		long = short + room%2
	}
	if a > b {
		return long, short
	}
	return short, long
}

func (t *truncation) cut(tokens []Token, keep int) []Token {
	keep = min(keep, len(tokens))
	if t.Direction == "Left" {
		return tokens[len(tokens)-keep:]
	}
	return tokens[:keep]
}

func (p *padding) apply(tokens []Token, mask []int32) ([]Token, []int32) {
	want := max(p.fixed, len(tokens))
	if p.Multiple > 0 && want%p.Multiple > 0 {
		want += p.Multiple - want%p.Multiple
	}
	n := want - len(tokens)
	fill := slices.Repeat([]Token{specialToken(p.ID, p.Token, p.TypeID)}, n)
	zeros := make([]int32, n)
	if p.Direction == "Left" {
		return append(fill, tokens...), append(zeros, mask...)
	}
	return append(tokens, fill...), append(mask, zeros...)
}
