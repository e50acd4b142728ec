package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
)

func init() { models.register("Unigram", parseUnigram) }

// unknownPenalty is how much worse than the worst piece an unknown character
// scores (SentencePiece's kUnkPenalty).
const unknownPenalty = 10

// unigram picks the pieces whose scores sum highest (tokenizers' models/unigram,
// SentencePiece's EncodeOptimized). Time is the text times the longest piece.
type unigram struct {
	vocab   map[string]int32
	found   map[string]int32 // nil: vocab; the pieces that a stretch of text may be
	pieces  trie
	scores  []float64
	unk     int32 // -1: a text with unknown characters gives no token for them
	unkCost float64
	bytes   *[256]int32
	single  bool // path scores are rounded to float32, as SentencePiece's
}

func parseUnigram(raw json.RawMessage) (model, error) {
	c := struct {
		UnkID    *int64            `json:"unk_id"`
		Fallback bool              `json:"byte_fallback"`
		Vocab    []json.RawMessage `json:"vocab"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	if len(c.Vocab) == 0 || len(c.Vocab) > maxVocabulary {
		return nil, fmt.Errorf("%w: a vocabulary of %d entries (1 to %d are allowed)", ErrFormat, len(c.Vocab), maxVocabulary)
	}
	names, scores := make([]string, len(c.Vocab)), make([]float64, len(c.Vocab))
	for i, raw := range c.Vocab {
		var entry []json.RawMessage
		if json.Unmarshal(raw, &entry) != nil || len(entry) != 2 || json.Unmarshal(entry[0], &names[i]) != nil || json.Unmarshal(entry[1], &scores[i]) != nil {
			return nil, fmt.Errorf("%w: vocabulary entry %d is not [piece, score]", ErrFormat, i)
		}
	}
	unk := int32(-1)
	if c.UnkID != nil {
		if *c.UnkID < 0 || *c.UnkID >= int64(len(names)) {
			return nil, fmt.Errorf("%w: unk_id %d is outside the vocabulary", ErrFormat, *c.UnkID)
		}
		unk = int32(*c.UnkID)
	}
	m, err := newUnigram(names, scores, unk)
	if err != nil {
		return nil, err
	}
	if c.Fallback {
		m.bytes = byteTokens(m.vocab)
	}
	return m, nil
}

func newUnigram(names []string, scores []float64, unk int32) (*unigram, error) {
	m := &unigram{vocab: make(map[string]int32, len(names)), scores: scores, unk: unk}
	worst, chars := math.Inf(1), 0
	for i, name := range names {
		if chars += len(name); chars > maxTrieChars {
			return nil, fmt.Errorf("%w: the pieces have more than %d bytes together", ErrFormat, maxTrieChars)
		}
		if len(name) > maxEntryBytes {
			return nil, fmt.Errorf("%w: piece %d is longer than %d bytes", ErrFormat, i, maxEntryBytes)
		}
		if math.IsNaN(scores[i]) || math.IsInf(scores[i], 0) {
			return nil, fmt.Errorf("%w: piece %d has no finite score", ErrFormat, i)
		}
		m.vocab[name] = int32(i)
		m.pieces.add(name, int32(i))
		worst = min(worst, scores[i])
	}
	m.unkCost = worst - unknownPenalty
	return m, nil
}

func (m *unigram) vocabulary() map[string]int32 { return m.vocab }

// best is the highest-scoring way to a place of the word.
type best struct {
	score float64
	from  int32 // -1: no way yet
	id    int32
}

func (m *unigram) tokenize(word text, emit func(id int32, value string, from, to int)) {
	ends := m.paths(word)
	var cuts []int // ends of tokens, last first
	for to := len(word); to > 0; {
		cuts = append(cuts, to)
		id := ends[to].id
		for to = int(ends[to].from); id == m.unk && to > 0 && ends[to].id == m.unk; { // unknown stretches become one
			to = int(ends[to].from)
		}
	}
	from := 0
	for i := len(cuts) - 1; i >= 0; i-- {
		m.emit(word[from:cuts[i]], from, ends[cuts[i]].id, emit)
		from = cuts[i]
	}
}

// emit writes one stretch: its piece, its bytes or the unknown token.
func (m *unigram) emit(part text, from int, id int32, emit func(id int32, value string, from, to int)) {
	value := part.String()
	to := from + len(part)
	known, ok := m.found[value]
	if m.found == nil {
		known, ok = m.vocab[value]
	}
	if ok {
		emit(known, value, from, to)
		return
	}
	if m.bytes != nil && spelled(m.bytes, value) {
		for i := range len(value) {
			emit(m.bytes[value[i]], fmt.Sprintf("<0x%02X>", value[i]), from, to)
		}
		return
	}
	if id >= 0 {
		emit(id, value, from, to)
	}
}

// spelled says whether every byte of s has a token.
func spelled(bytes *[256]int32, s string) bool {
	for i := range len(s) {
		if bytes[s[i]] < 0 {
			return false
		}
	}
	return true
}

// paths finds the best way to every place; a later way must score higher.
func (m *unigram) paths(word text) []best {
	ends := make([]best, len(word)+1)
	for i := range ends {
		ends[i].from = -1
	}
	for from := range word {
		here := ends[from].score
		reach := func(to int, id int32, score float64) {
			sum := score + here
			if m.single {
				sum = float64(float32(sum))
			}
			if e := &ends[to]; e.from < 0 || sum > e.score {
				*e = best{sum, int32(from), id}
			}
		}
		one := false
		at := int32(0)
		for i, c := range word[from:] {
			next, ok := m.pieces.step(at, c.r)
			if !ok {
				break
			}
			at = next
			if id := m.pieces.id[at]; id >= 0 {
				reach(from+i+1, id, m.scores[id])
				one = one || i == 0
			}
		}
		if !one {
			reach(from+1, m.unk, m.unkCost)
		}
	}
	return ends
}
