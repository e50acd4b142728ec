package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

func init() { models.register("WordPiece", parseWordPiece) }

// Bounds of a vocabulary, far above any published one.
const (
	maxVocabulary = 4 << 20
	maxEntryBytes = 1024
	maxID         = maxVocabulary // a table by id stays small
)

// wordPiece is greedy longest-match-first, as tokenizers' models/wordpiece.
type wordPiece struct {
	vocab    map[string]int32
	prefix   string
	unknown  string
	unkID    int32
	maxChars int // longer words are unknown
	longest  int // characters of the longest entry: no longer stretch can match
}

func parseWordPiece(raw json.RawMessage) (model, error) {
	c := struct {
		Unk      *string          `json:"unk_token"`
		Prefix   *string          `json:"continuing_subword_prefix"`
		MaxChars *int             `json:"max_input_chars_per_word"`
		Vocab    map[string]int64 `json:"vocab"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	vocab, err := checkVocabulary(c.Vocab)
	if err != nil {
		return nil, err
	}
	unk, prefix, maxChars := "[UNK]", "##", 100
	if c.Unk != nil {
		unk = *c.Unk
	}
	if c.Prefix != nil {
		prefix = *c.Prefix
	}
	if c.MaxChars != nil {
		maxChars = *c.MaxChars
	}
	return newWordPiece(vocab, unk, prefix, maxChars)
}

// checkVocabulary bounds sizes and ids.
func checkVocabulary(in map[string]int64) (map[string]int32, error) {
	if len(in) == 0 || len(in) > maxVocabulary {
		return nil, fmt.Errorf("%w: a vocabulary of %d entries (1 to %d are allowed)", ErrFormat, len(in), maxVocabulary)
	}
	out := make(map[string]int32, len(in))
	for token, id := range in {
		if id < 0 || id >= maxID {
			return nil, fmt.Errorf("%w: token id %d is outside 0 to %d", ErrFormat, id, maxID-1)
		}
		if len(token) > maxEntryBytes {
			return nil, fmt.Errorf("%w: token %d is longer than %d bytes", ErrFormat, id, maxEntryBytes)
		}
		out[token] = int32(id)
	}
	return out, nil
}

func newWordPiece(vocab map[string]int32, unk, prefix string, maxChars int) (*wordPiece, error) {
	id, ok := vocab[unk]
	if !ok {
		return nil, fmt.Errorf("%w: the unknown token %.40q is not in the vocabulary", ErrFormat, unk)
	}
	if maxChars < 0 || maxChars > 1<<16 {
		return nil, fmt.Errorf("%w: max_input_chars_per_word is %d (0 to %d are allowed)", ErrFormat, maxChars, 1<<16)
	}
	if len(prefix) > maxEntryBytes {
		return nil, fmt.Errorf("%w: the continuing prefix is longer than %d bytes", ErrFormat, maxEntryBytes)
	}
	m := &wordPiece{vocab: vocab, prefix: prefix, unknown: unk, unkID: id, maxChars: maxChars}
	for token := range vocab {
		m.longest = max(m.longest, utf8.RuneCountInString(token))
	}
	return m, nil
}

func (m *wordPiece) vocabulary() map[string]int32 { return m.vocab }

func (m *wordPiece) tokenize(word text, emit func(id int32, value string, from, to int)) {
	if len(word) > m.maxChars {
		emit(m.unkID, m.unknown, 0, len(word))
		return
	}
	type found struct {
		id       int32
		from, to int
	}
	var pieces [16]found
	matched := pieces[:0]
	var buffer [256]byte
	var bounds [64]int
	for from := 0; from < len(word); {
		key := buffer[:0]
		if from > 0 {
			key = append(key, m.prefix...)
		}
		ends := bounds[:0] // ends[i]: length of key with i+1 characters of the word
		for to := from; to < len(word) && to-from < m.longest; to++ {
			key = appendRune(key, word[to].r)
			ends = append(ends, len(key))
		}
		hit := false
		for n := len(ends); n > 0; n-- {
			if id, ok := m.vocab[string(key[:ends[n-1]])]; ok {
				matched = append(matched, found{id, from, from + n})
				from += n
				hit = true
				break
			}
		}
		if !hit {
			emit(m.unkID, m.unknown, 0, len(word))
			return
		}
	}
	for _, f := range matched {
		emit(f.id, m.text(word, f.from, f.to), f.from, f.to)
	}
}

// text is the vocabulary entry of a matched stretch.
func (m *wordPiece) text(word text, from, to int) string {
	s := word[from:to].String()
	if from > 0 {
		return m.prefix + s
	}
	return s
}
