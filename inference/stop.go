package inference

import (
	"context"
	"errors"
	"strings"

	"vitrine/inference/generate"
	"vitrine/inference/tokenizer"
)

// errStop: a stop text was written.
var errStop = errors.New("inference: a stop text was written")

// before is how many ids of a prompt a decoder of text sees, so that it treats the new ones as a continuation.
const before = 8

// answer generates for one prompt and turns ids into text.
func (m *Model) answer(ctx context.Context, w *Writing, p generate.Prompt, window int, emit func(Written) error) ([]WrittenAnswer, error) {
	if w.Options.Beams > 1 {
		return m.beams(ctx, w, p, window, emit)
	}
	one := m.writer(w, p, window)
	one.emit = emit
	list, err := m.Continue(ctx, p, w.Options, one.add)
	if list == nil {
		return nil, err
	}
	return []WrittenAnswer{one.close(list[0].End)}, err
}

// beams turns the sequences of a search into text when all of them are final; the best is what emit sees.
func (m *Model) beams(ctx context.Context, w *Writing, p generate.Prompt, window int, emit func(Written) error) ([]WrittenAnswer, error) {
	list, err := m.Continue(ctx, p, w.Options, nil)
	var out []WrittenAnswer
	for i, s := range list {
		one := m.writer(w, p, window)
		if i == 0 {
			one.emit = emit
		}
		end := s.End
		for _, t := range s.Tokens {
			if one.add(t) != nil {
				end = generate.EndCut
				break
			}
		}
		a := one.close(end)
		a.Score = s.Score
		out = append(out, a)
	}
	return out, err
}

// textWriter turns ids into the text that a caller sees.
type textWriter struct {
	stream *tokenizer.Stream
	stops  []string
	window int
	emit   func(Written) error
	text   strings.Builder // settled
	sent   int             // of it, what was handed on
	tokens []Written
	hit    bool
}

func (m *Model) writer(w *Writing, p generate.Prompt, window int) *textWriter {
	t := &textWriter{stream: m.tok.Stream(true), stops: w.Stop, window: window}
	if len(p.Source) == 0 {
		for _, id := range p.IDs[max(0, len(p.IDs)-before):] {
			t.stream.Add(id)
		}
	}
	return t
}

// add takes one id; errStop after a stop text.
func (t *textWriter) add(token generate.Token) error {
	t.text.WriteString(t.stream.Add(token.ID))
	return t.settle(token)
}

func (t *textWriter) settle(token generate.Token) error {
	text := t.text.String()
	end := len(text) - held(text[t.sent:], t.stops)
	if at := first(text[t.sent:], t.stops); at >= 0 {
		t.hit, end = true, t.sent+at
	}
	written := Written{Token: token, Text: text[t.sent:end], Window: t.window}
	t.sent = end
	t.tokens = append(t.tokens, written)
	if t.emit != nil {
		if err := t.emit(written); err != nil {
			return err
		}
	}
	if t.hit {
		return errStop
	}
	return nil
}

// close settles what was held back; it belongs to the last token.
func (t *textWriter) close(end string) WrittenAnswer {
	if t.hit {
		return WrittenAnswer{Text: t.text.String()[:t.sent], Tokens: t.tokens, End: generate.EndStop}
	}
	t.text.WriteString(t.stream.Close())
	text := t.text.String()
	cut := len(text)
	if at := first(text[t.sent:], t.stops); at >= 0 {
		cut, end = t.sent+at, generate.EndStop
	}
	if rest := text[t.sent:cut]; rest != "" && len(t.tokens) > 0 {
		last := &t.tokens[len(t.tokens)-1]
		last.Text += rest
		if t.emit != nil && t.emit(Written{Token: generate.Token{ID: -1}, Text: rest, Window: t.window}) != nil {
			end = generate.EndCut
		}
	}
	return WrittenAnswer{Text: text[:cut], Tokens: t.tokens, End: end}
}

// first is where the earliest stop begins in text, -1 for nowhere.
func first(text string, stops []string) int {
	at := -1
	for _, s := range stops {
		if i := strings.Index(text, s); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}

// held is the length of the longest end of text that a stop could begin with.
func held(text string, stops []string) int {
	longest := 0
	for _, s := range stops {
		for n := min(len(s)-1, len(text)); n > longest; n-- {
			if strings.HasSuffix(text, s[:n]) {
				longest = n
			}
		}
	}
	return longest
}
