package inference

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"vitrine/inference/generate"
	"vitrine/inference/task"
	"vitrine/inference/tokenizer"
)

// Limits of what ends a text.
const (
	maxStops    = 16
	maxStopText = 256
)

// Writing is what a generating model is asked for. Decoder-only models continue Text; those with an encoder read it and answer.
type Writing struct {
	Text string
	// Messages are a conversation to be answered, written down by the checkpoint's chat template; Text is then left empty. Now is the day that a template
	// may name, today where it is zero.
	Messages []Message
	Now      time.Time
	// Prefix stands before every part of the text that is read: "summarize: " or "translate English to German: " of T5.
	Prefix string
	// Language is what is written, for translation models that know several: a token of the vocabulary, with or without its marks (fr, __fr__, fra_Latn,
	// >>fra<<).
	Language string
	// IDs continues ids instead of a text.
	IDs []int32
	// Stop are texts that end the answer and do not appear in it.
	Stop []string
	// Options with EOS, ForcedFirst, ForcedLast and BadWords left nil take the checkpoint's own.
	Options generate.Options
}

// Written is one id with the text that it settled, which is empty while a character is incomplete or a stop could begin. Window counts the parts of a long
// document.
type Written struct {
	generate.Token
	Text   string
	Window int
}

// WrittenAnswer is one text written.
type WrittenAnswer struct {
	Text   string
	Tokens []Written
	Score  float64
	End    string // generate.EndStop (an end id or a stop text), EndLength, EndCut
}

// WrittenText is what a model wrote: the answers best first, one unless several beams are returned. A document longer than an encoder takes is read in
// windows, whose answers are joined; Windows says so.
type WrittenText struct {
	Answers      []WrittenAnswer
	PromptTokens int
	Windows      []WindowNote
}

// Write generates text. emit, where it is not nil, gets every token as it is settled (in beam search only at the end); an error from it ends the answer as
// cut. Text that was held back because a stop could have begun comes last, with the id -1. A prompt longer than a decoder-only model takes is an error, never
// cut. When ctx ends, what was written is returned with the error.
func (m *Model) Write(ctx context.Context, w Writing, emit func(Written) error) (*WrittenText, error) {
	if err := m.checkWriting(&w); err != nil {
		return nil, err
	}
	prompts, out, err := m.prompts(&w)
	if err != nil {
		return nil, err
	}
	for i, p := range prompts {
		answers, err := m.answer(ctx, &w, p, i, emit)
		out.join(answers)
		if err != nil {
			return out, err
		}
		if i+1 < len(prompts) && len(out.Answers) > 0 && out.Answers[0].End == generate.EndCut {
			break
		}
	}
	return out, nil
}

func (m *Model) checkWriting(w *Writing) error {
	if m.tok == nil {
		return fmt.Errorf("inference: %w: the checkpoint has no tokenizer; add tokenizer.json to its folder", ErrModel)
	}
	if len(w.Stop) > maxStops {
		return fmt.Errorf("inference: %w: %d stop texts, up to %d are possible", ErrInput, len(w.Stop), maxStops)
	}
	for _, s := range w.Stop {
		if s == "" || len(s) > maxStopText || !utf8.ValidString(s) {
			return fmt.Errorf("inference: %w: a stop text of %d bytes; it should hold 1 to %d bytes of UTF-8", ErrInput, len(s), maxStopText)
		}
	}
	for what, s := range map[string]string{"text": w.Text, "prefix": w.Prefix} {
		if err := checkText(what, s); err != nil {
			return err
		}
	}
	d, o := m.Defaults(), &w.Options
	if o.EOS == nil {
		o.EOS = d.EOS
	}
	if o.ForcedFirst == nil {
		o.ForcedFirst = d.ForcedFirst
	}
	if o.ForcedLast == nil {
		o.ForcedLast = d.ForcedLast
	}
	if o.BadWords == nil {
		o.BadWords = d.BadWords
	}
	return nil
}

// prompts are what the network is given: one, or one a window of a long document.
func (m *Model) prompts(w *Writing) ([]generate.Prompt, *WrittenText, error) {
	out := &WrittenText{}
	if m.desc.MaxDecoder == 0 {
		if w.Language != "" || w.Prefix != "" {
			return nil, nil, fmt.Errorf("inference: %w: this model continues a text; write language and task into the text", ErrInput)
		}
		ids, err := m.promptIDs(w)
		if err != nil {
			return nil, nil, err
		}
		if start := m.Defaults().Start; len(ids) == 0 && start >= 0 {
			ids = []int32{start}
		}
		out.PromptTokens = len(ids)
		return []generate.Prompt{{IDs: ids}}, out, nil
	}
	if w.Messages != nil {
		return nil, nil, fmt.Errorf("inference: %w: this model reads a text and answers once; it has no conversations", ErrInput)
	}
	if err := m.language(w); err != nil {
		return nil, nil, err
	}
	sources, err := m.sources(w, out)
	var prompts []generate.Prompt
	for _, s := range sources {
		out.PromptTokens += len(s)
		prompts = append(prompts, generate.Prompt{Source: s})
	}
	return prompts, out, err
}

func (m *Model) tokens(text string) ([]tokenizer.Token, error) {
	enc, err := m.tok.Encode(text, nil, true)
	if err != nil {
		return nil, fmt.Errorf("inference: tokenizing: %w", classify(err))
	}
	return enc.Tokens, nil
}

func idsOf(tokens []tokenizer.Token) []int32 {
	out := make([]int32, len(tokens))
	for i, t := range tokens {
		out[i] = t.ID
	}
	return out
}

// language finds the token of the language that is written: Marian reads it before the text, others write it first.
func (m *Model) language(w *Writing) error {
	if w.Language == "" {
		return nil
	}
	if _, ok := m.tok.ID(">>" + strings.Trim(w.Language, "<>") + "<<"); ok {
		w.Prefix = ">>" + strings.Trim(w.Language, "<>") + "<< " + w.Prefix
		return nil
	}
	for _, name := range []string{w.Language, "__" + w.Language + "__"} {
		if id, ok := m.tok.ID(name); ok && len(name) > 1 {
			w.Options.ForcedFirst = []int32{id}
			return nil
		}
	}
	return fmt.Errorf("inference: %w: the model's vocabulary has no language %.40q; look for its codes in the model card", ErrInput, w.Language)
}

// sources are the encoder's ids: of the whole text, or of its windows.
func (m *Model) sources(w *Writing, out *WrittenText) ([][]int32, error) {
	if w.IDs != nil {
		return [][]int32{w.IDs}, nil
	}
	if strings.TrimSpace(w.Text) == "" {
		return nil, fmt.Errorf("inference: %w: the text is empty; write at least one word", ErrInput)
	}
	whole, err := m.tokens(w.Prefix + w.Text)
	if err != nil {
		return nil, err
	}
	if len(whole) <= m.desc.MaxTokens {
		return [][]int32{idsOf(whole)}, nil
	}
	prefix, err := m.tokens(w.Prefix) // special tokens included, which stand in every window
	if err != nil {
		return nil, err
	}
	// A piece by itself may take a few tokens more than as part of the text.
	const slack = 4
	capacity := m.desc.MaxTokens - len(prefix) - slack
	if capacity < max(1, m.desc.MaxTokens/4) {
		return nil, fmt.Errorf("inference: %w: the prefix has %d tokens of the %d that the model reads; shorten it", ErrInput, len(prefix), m.desc.MaxTokens)
	}
	own, err := m.tok.Encode(w.Text, nil, false)
	if err != nil {
		return nil, fmt.Errorf("inference: tokenizing: %w", classify(err))
	}
	return m.windowed(w, own.Tokens, capacity, out)
}

func (m *Model) windowed(w *Writing, own []tokenizer.Token, capacity int, out *WrittenText) ([][]int32, error) {
	list := make([]task.Token, len(own))
	for i, t := range own {
		list[i] = task.Token{ID: t.ID, Start: t.Start, End: t.End}
	}
	pieces := task.Divide(w.Text, list, capacity)
	if len(pieces) > maxBatch {
		return nil, fmt.Errorf("inference: %w: the text needs %d windows, the limit is %d; send it in parts", ErrInput, len(pieces), maxBatch)
	}
	chars := []rune(w.Text)
	var sources [][]int32
	for _, p := range pieces {
		piece := strings.TrimSpace(string(chars[p.Start:p.End]))
		if piece == "" {
			continue
		}
		tokens, err := m.tokens(w.Prefix + piece)
		if err != nil {
			return nil, err
		}
		if len(tokens) > m.desc.MaxTokens {
			return nil, fmt.Errorf("inference: %w: a window of characters %d to %d takes %d tokens, the model reads %d; send the text in parts", ErrInput, p.Start, p.End,
				len(tokens), m.desc.MaxTokens)
		}
		sources = append(sources, idsOf(tokens))
		out.Windows = append(out.Windows, WindowNote{Start: p.Start, End: p.End, Tokens: len(tokens)})
	}
	return sources, nil
}

// join appends a window's answers to those of the windows before.
func (t *WrittenText) join(answers []WrittenAnswer) {
	if t.Answers == nil {
		t.Answers = answers
		return
	}
	for i := range t.Answers {
		if i >= len(answers) {
			return
		}
		a := &t.Answers[i]
		a.Text = strings.TrimRight(a.Text, " ") + " " + strings.TrimLeft(answers[i].Text, " ")
		a.Tokens = append(a.Tokens, answers[i].Tokens...)
		a.Score, a.End = a.Score+answers[i].Score, answers[i].End
	}
}
