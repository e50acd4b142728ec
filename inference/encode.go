package inference

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"vitrine/inference/tokenizer"
)

// MaxTextBytes bounds a text; it is checked before anything is tokenized.
const MaxTextBytes = 4 << 20

// overlapShare is the part of a window that it shares with the next: a quarter gives every token at least an eighth of
// a window of context on both sides.
const overlapShare = 4

// Encode turns an input into examples: one for images and short texts, overlapping windows for texts longer than the
// model takes. Nothing is ever cut off. Errors wrap ErrInput.
func (m *Model) Encode(ctx context.Context, in Input) (*Encoded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.desc.Modality == "image" {
		return m.encodeImage(in)
	}
	if len(in.Image) > 0 {
		return nil, fmt.Errorf("inference: %w: this model reads text, not pictures; choose an image model", ErrInput)
	}
	if err := checkText("text", in.Text); err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Text) == "" {
		return nil, fmt.Errorf("inference: %w: the text is empty; write at least one word", ErrInput)
	}
	if in.Pair != nil {
		if err := checkText("second text", *in.Pair); err != nil {
			return nil, err
		}
	}
	if m.tok == nil {
		return nil, fmt.Errorf("inference: %w: the checkpoint has no tokenizer; add tokenizer.json to its folder", ErrModel)
	}
	enc, err := m.tok.Encode(in.Text, in.Pair, true)
	if err != nil {
		return nil, fmt.Errorf("inference: tokenizing: %w", classify(err))
	}
	return m.windows(enc.Tokens)
}

func checkText(what, s string) error {
	if len(s) > MaxTextBytes {
		return fmt.Errorf("inference: %w: the %s has %d bytes, the limit is %d; send it in parts", ErrInput, what, len(s), MaxTextBytes)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("inference: %w: the %s is not valid UTF-8; save or send it as UTF-8", ErrInput, what)
	}
	return nil
}

func (m *Model) encodeImage(in Input) (*Encoded, error) {
	if len(in.Image) == 0 {
		return nil, fmt.Errorf("inference: %w: this model reads pictures; give a PNG or JPEG file", ErrInput)
	}
	if m.proc == nil {
		return nil, fmt.Errorf("inference: %w: the checkpoint has no image processor; add preprocessor_config.json to its folder", ErrModel)
	}
	pixels, shape, err := m.proc.Process(in.Image)
	if err != nil {
		return nil, fmt.Errorf("inference: reading the picture: %w", classify(err))
	}
	return &Encoded{Windows: []Window{{Example: Example{Pixels: pixels, Shape: shape}}}}, nil
}

// windows lays the tokens out in as many windows as the model's length needs. Tokens that the tokenizer inserted stand
// in every window; of two texts the longer is windowed, the other stands in every window whole.
func (m *Model) windows(tokens []tokenizer.Token) (*Encoded, error) {
	unk := m.tok.Special().Unk
	var count [2]int // own tokens of text and pair
	unknown := 0
	for _, t := range tokens {
		if !t.Special {
			count[side(t)]++
			if t.ID == unk {
				unknown++
			}
		}
	}
	if count[0]+count[1] == 0 {
		return nil, fmt.Errorf("inference: %w: the text holds nothing the model can read; write at least one word", ErrInput)
	}
	e := &Encoded{Unknown: float64(unknown) / float64(count[0]+count[1])}
	if len(tokens) <= m.desc.MaxTokens {
		e.Windows = []Window{m.window(tokens, -1, 0, 0)}
		return e, nil
	}
	long := 0
	if count[1] > count[0] {
		long, e.Pair = 1, true
	}
	capacity := m.desc.MaxTokens - (len(tokens) - count[long])
	if capacity < max(1, m.desc.MaxTokens/4) {
		return nil, fmt.Errorf("inference: %w: both texts are too long (%d and %d tokens, the model takes %d together); shorten one of them",
			ErrInput, count[0], count[1], m.desc.MaxTokens)
	}
	step := max(1, capacity-capacity/overlapShare)
	if n := (count[long] + step - 1) / step; n > maxBatch {
		return nil, fmt.Errorf("inference: %w: the text has %d tokens and needs %d windows, the limit is %d; send it in parts", ErrInput, count[long], n, maxBatch)
	}
	for from := 0; ; from += step {
		to := min(from+capacity, count[long])
		e.Windows = append(e.Windows, m.window(tokens, long, from, to))
		if to == count[long] {
			return e, nil
		}
	}
}

func side(t tokenizer.Token) int {
	if t.Pair {
		return 1
	}
	return 0
}

// window keeps of side long the own tokens [from,to); long -1 keeps everything.
func (m *Model) window(tokens []tokenizer.Token, long, from, to int) Window {
	var w Window
	w.First = -1
	own := [2]int{}
	all := 0
	for _, t := range tokens {
		index := -1
		if !t.Special {
			i, s := own[side(t)], side(t)
			own[s]++
			all++
			if s == long && (i < from || i >= to) {
				continue
			}
			index = all - 1
			if w.First < 0 {
				w.First = index
			}
		}
		w.Example.IDs = append(w.Example.IDs, t.ID)
		w.Example.Types = append(w.Example.Types, min(t.Type, int32(m.desc.Types-1)))
		w.Tokens = append(w.Tokens, Token{Text: t.Text, ID: t.ID, Start: t.Start, End: t.End, Special: t.Special, Word: t.Word, Pair: t.Pair, Index: index})
	}
	w.First = max(w.First, 0)
	return w
}
