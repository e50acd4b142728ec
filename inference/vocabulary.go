package inference

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"vitrine/inference/family"
	"vitrine/inference/op"
	"vitrine/inference/task"
)

// Word is the content of an id of the tokenizer's vocabulary; false where the model has no tokenizer or no such id.
func (m *Model) Word(id int32) (string, bool) {
	if m.tok == nil {
		return "", false
	}
	return m.tok.Token(id)
}

// WordEmbeddings is the table of word embeddings, (vocabulary, Hidden). It must not be changed. False where the model reads
// pictures, or its embeddings are not rows of one table.
func (m *Model) WordEmbeddings() (Tensor, bool) {
	if m.desc.Modality != "text" {
		return Tensor{}, false
	}
	built, err := m.net.Build(family.Shape{B: 1, T: 1, S: 1}, true)
	if err != nil || built.Words < 0 {
		return Tensor{}, false
	}
	t, ok := built.G.Nodes[built.Words].Attrs.(*op.Table)
	if !ok || t.D != m.desc.Hidden {
		return Tensor{}, false
	}
	return Tensor{Shape: []int{t.Rows, t.D}, Data: t.Values()}, true
}

// Tokenize is what the model reads of a text, with the characters that each id covers; with special, the ids that the tokenizer puts around a text are there.
// Nothing is cut or checked against the model's length. Errors wrap ErrInput.
func (m *Model) Tokenize(text string, special bool) ([]Token, error) {
	if err := checkText("text", text); err != nil {
		return nil, err
	}
	if m.tok == nil {
		return nil, fmt.Errorf("inference: %w: the model has no tokenizer", ErrInput)
	}
	enc, err := m.tok.Encode(text, nil, special)
	if err != nil {
		return nil, fmt.Errorf("inference: tokenizing: %w", classify(err))
	}
	out := make([]Token, len(enc.Tokens))
	index := 0
	for i, t := range enc.Tokens {
		out[i] = Token{Text: t.Text, ID: t.ID, Start: t.Start, End: t.End, Special: t.Special, Word: t.Word, Index: -1}
		if !t.Special {
			out[i].Index = index
			index++
		}
	}
	return out, nil
}

// Spell turns ids into text and says which characters of it each id settles; an id within a character settles none. ErrInput for an id that the vocabulary
// lacks.
func (m *Model) Spell(ids []int32) (string, []Token, error) {
	if m.tok == nil {
		return "", nil, fmt.Errorf("inference: %w: the model has no tokenizer", ErrInput)
	}
	out := make([]Token, len(ids))
	stream := m.tok.Stream(false)
	var text strings.Builder
	at := 0
	add := func(s string) {
		text.WriteString(s)
		at += utf8.RuneCountInString(s)
	}
	for i, id := range ids {
		word, ok := m.tok.Token(id)
		if !ok {
			return "", nil, fmt.Errorf("inference: %w: id %d is not in the vocabulary of %d; /tokenize gives the ids of a text", ErrInput, id, m.tok.VocabSize())
		}
		start := at
		add(stream.Add(id))
		out[i] = Token{Text: word, ID: id, Start: start, End: at, Word: i, Index: i}
	}
	if n := len(out); n > 0 {
		add(stream.Close())
		out[n-1].End = at
	}
	return text.String(), out, nil
}

// Piece is how an id reads within a text, a space before it included; of an id that is only a part of a character, its content in the vocabulary.
func (m *Model) Piece(id int32) string {
	stream := m.tok.Stream(false)
	stream.Add(id)
	if s := stream.Add(id); s != "" && !strings.ContainsRune(s, utf8.RuneError) {
		return s
	}
	word, _ := m.tok.Token(id)
	return word
}

// Control says whether a text, put into a conversation, would hold an id by which the model tells turns apart or ends them, and names it.
func (m *Model) Control(text string) (string, bool) {
	if m.tok == nil {
		return "", false
	}
	enc, err := m.tok.Encode(text, nil, false)
	if err != nil {
		return "", false // whoever tokenizes it says so
	}
	seen := map[int32]bool{}
	for _, t := range enc.Tokens {
		if seen[t.ID] {
			continue
		}
		seen[t.ID] = true
		one := []int32{t.ID}
		if m.tok.Decode(one, true) == "" && m.tok.Decode(one, false) != "" {
			return t.Text, true
		}
	}
	return "", false
}

// Generates says whether the model writes text.
func (m *Model) Generates() bool {
	_, ok := m.net.(family.Generator)
	return ok
}

// WritesTexts says whether models of a task, named as the hub does, write texts.
func WritesTexts(name string) bool {
	t, ok := task.Lookup(name)
	return ok && t.Writes
}

// Reads is how many tokens the model takes, prompt and answer together; of an encoder-decoder, Writes is how many the answer may have.
func (m *Model) Reads() (reads, writes int) { return m.desc.MaxTokens, m.desc.MaxDecoder }

// ChatTemplate is the checkpoint's template of conversations as it was published; false where there is none that can be used.
func (m *Model) ChatTemplate() (string, bool) {
	if m.continuation.chat == nil {
		return "", false
	}
	return m.continuation.chat.Source(), true
}
