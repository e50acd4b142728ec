package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

func init() { models.register("BPE", parseBPE) }

// bpe is byte-pair encoding as tokenizers' models/bpe: the merge of the lowest
// rank first, of equal ones the leftmost. n log n in the word.
type bpe struct {
	vocab  map[string]int32
	names  []string       // by id
	single map[rune]int32 // tokens of one character, without prefix and suffix
	merges map[pair]merge
	prefix string // of every character but the first
	suffix string // of the last character
	unk    int32  // -1: unknown characters vanish
	fuse   bool   // one unknown token for a run of unknown characters
	bytes  *[256]int32
	whole  bool // a word in the vocabulary is one token, merges or not
}

type pair struct{ left, right int32 }

type merge struct{ rank, id int32 }

// mergePair reads "a b" or ["a", "b"].
type mergePair [2]string

// UnmarshalJSON takes exactly two parts.
func (m *mergePair) UnmarshalJSON(raw []byte) error {
	var parts []string
	if bytes.HasPrefix(raw, []byte{'"'}) {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		parts = strings.Split(s, " ")
	} else if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("a merge has %d parts, not 2", len(parts))
	}
	*m = mergePair(parts)
	return nil
}

func parseBPE(raw json.RawMessage) (model, error) {
	c := struct {
		Dropout  *float64         `json:"dropout"`
		Unk      *string          `json:"unk_token"`
		Prefix   *string          `json:"continuing_subword_prefix"`
		Suffix   *string          `json:"end_of_word_suffix"`
		Fuse     bool             `json:"fuse_unk"`
		Fallback bool             `json:"byte_fallback"`
		Whole    bool             `json:"ignore_merges"`
		Vocab    map[string]int64 `json:"vocab"`
		Merges   []mergePair      `json:"merges"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	vocab, err := checkVocabulary(c.Vocab)
	if err != nil {
		return nil, err
	}
	if c.Dropout != nil && *c.Dropout != 0 {
		return nil, fmt.Errorf("%w: dropout, which makes ids random; set it to null", ErrUnsupported)
	}
	m := &bpe{vocab: vocab, unk: -1, fuse: c.Fuse, whole: c.Whole}
	if c.Prefix != nil {
		m.prefix = *c.Prefix
	}
	if c.Suffix != nil {
		m.suffix = *c.Suffix
	}
	if len(m.prefix) > maxEntryBytes || len(m.suffix) > maxEntryBytes {
		return nil, fmt.Errorf("%w: a subword prefix or suffix is longer than %d bytes", ErrFormat, maxEntryBytes)
	}
	if c.Unk != nil {
		id, ok := vocab[*c.Unk]
		if !ok {
			return nil, fmt.Errorf("%w: the unknown token %.40q is not in the vocabulary", ErrFormat, *c.Unk)
		}
		m.unk = id
	}
	if c.Fallback {
		m.bytes = byteTokens(vocab)
	}
	if err := m.addMerges(c.Merges); err != nil {
		return nil, err
	}
	m.index()
	return m, nil
}

// byteTokens are the ids of <0x00> to <0xFF>, -1 where one is missing.
func byteTokens(vocab map[string]int32) *[256]int32 {
	var out [256]int32
	for b := range out {
		out[b] = -1
		if id, ok := vocab[fmt.Sprintf("<0x%02X>", b)]; ok {
			out[b] = id
		}
	}
	return &out
}

// addMerges ranks merges by their place in the list.
func (m *bpe) addMerges(list []mergePair) error {
	if len(list) > maxVocabulary {
		return fmt.Errorf("%w: %d merges (at most %d are allowed)", ErrFormat, len(list), maxVocabulary)
	}
	m.merges = make(map[pair]merge, len(list))
	for rank, parts := range list {
		left, okL := m.vocab[parts[0]]
		right, okR := m.vocab[parts[1]]
		joined, okJ := m.vocab[parts[0]+parts[1][min(len(m.prefix), len(parts[1])):]]
		if !okL || !okR || !okJ {
			return fmt.Errorf("%w: merge %d (%.40q with %.40q) uses or makes a token that is not in the vocabulary", ErrFormat, rank+1, parts[0], parts[1])
		}
		m.merges[pair{left, right}] = merge{int32(rank), joined}
	}
	return nil
}

// index prepares the tables that tokenize reads.
func (m *bpe) index() {
	m.names = namesOf(m.vocab)
	m.single = map[rune]int32{}
	for token, id := range m.vocab {
		if r, n := utf8.DecodeRuneInString(token); n > 0 && n == len(token) {
			m.single[r] = id
		}
	}
}

func (m *bpe) vocabulary() map[string]int32 { return m.vocab }

// symbol is a token of the word on its way: n is its length in bytes of the
// word, 0 once it has been merged away.
type symbol struct {
	id         int32
	n          int32
	prev, next int32
}

func (m *bpe) tokenize(word text, emit func(id int32, value string, from, to int)) {
	if m.whole {
		s := word.String()
		if id, ok := m.vocab[s]; ok {
			emit(id, s, 0, len(word))
			return
		}
	}
	var buffer [64]symbol
	symbols := m.symbols(word, buffer[:0])
	for i := range symbols {
		symbols[i].prev, symbols[i].next = int32(i-1), int32(i+1)
	}
	if len(symbols) <= scanLimit {
		symbols = m.mergeShort(symbols)
	} else {
		m.mergeLong(symbols)
	}
	// From bytes to characters: at is the character that holds byte begin.
	begin, at, before := 0, 0, 0
	for _, s := range symbols {
		if s.n == 0 {
			continue
		}
		for before+runeLen(word[at].r) <= begin {
			before += runeLen(word[at].r)
			at++
		}
		end := begin + int(s.n)
		to, sum := at, before
		for sum < end {
			sum += runeLen(word[to].r)
			to++
		}
		emit(s.id, m.names[s.id], at, to)
		begin = end
	}
}

func runeLen(r rune) int {
	switch {
	case r < 0x80:
		return 1
	case r < 0x800:
		return 2
	case r < 0x10000:
		return 3
	}
	return 4
}

// symbols looks up every character.
func (m *bpe) symbols(word text, out []symbol) []symbol {
	unknown := int32(0) // bytes of the unknown token under way
	flush := func() {
		if unknown > 0 {
			out = append(out, symbol{id: m.unk, n: unknown})
			unknown = 0
		}
	}
	for i, c := range word {
		n := int32(runeLen(c.r))
		id, ok := m.char(c.r, i == 0, i == len(word)-1)
		if ok {
			flush()
			out = append(out, symbol{id: id, n: n})
			continue
		}
		if m.bytes != nil && m.fallback(c.r, i == 0, i == len(word)-1, &out) {
			continue
		}
		if m.unk < 0 {
			continue
		}
		if !m.fuse {
			flush()
		}
		unknown += n
	}
	flush()
	return out
}

// decorated is a character with the prefix or the suffix of its place.
func (m *bpe) decorated(r rune, first, last bool) string {
	s := string(r)
	if !first {
		s = m.prefix + s
	}
	if last {
		s += m.suffix
	}
	return s
}

func (m *bpe) char(r rune, first, last bool) (int32, bool) {
	if (first || m.prefix == "") && (!last || m.suffix == "") {
		id, ok := m.single[r]
		return id, ok
	}
	id, ok := m.vocab[m.decorated(r, first, last)]
	return id, ok
}

// fallback spells a character in byte tokens, all or none.
func (m *bpe) fallback(r rune, first, last bool, out *[]symbol) bool {
	s := m.decorated(r, first, last)
	for i := range len(s) {
		if m.bytes[s[i]] < 0 {
			return false
		}
	}
	for i := range len(s) {
		*out = append(*out, symbol{id: m.bytes[s[i]], n: 1})
	}
	return true
}

// scanLimit is the word length up to which looking at all pairs for each merge
// is quicker than a heap.
const scanLimit = 24

func (m *bpe) mergeShort(s []symbol) []symbol {
	for {
		best, where := merge{rank: 1<<31 - 1}, -1
		for i := 0; i+1 < len(s); i++ {
			if x, ok := m.merges[pair{s[i].id, s[i+1].id}]; ok && x.rank < best.rank {
				best, where = x, i
			}
		}
		if where < 0 {
			return s
		}
		s[where].id = best.id
		s[where].n += s[where+1].n
		s = append(s[:where+1], s[where+2:]...)
	}
}

// candidate is a merge waiting in the heap.
type candidate struct {
	merge
	at int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

func (m *bpe) mergeLong(s []symbol) {
	mergeAll(s, func(left, right int32) (merge, bool) {
		x, ok := m.merges[pair{s[left].id, s[right].id}]
		return x, ok
	})
}

// mergeAll joins neighbours, the lowest rank first; join says what two symbols
// make. A symbol that has been merged into the one before has no bytes left.
func mergeAll(s []symbol, join func(left, right int32) (merge, bool)) {
	if len(s) == 0 {
		return
	}
	s[len(s)-1].next = -1
	var heap mergeHeap
	offer := func(at int32) {
		if at < 0 || s[at].next < 0 {
			return
		}
		if x, ok := join(at, s[at].next); ok {
			heap.push(candidate{x, at})
		}
	}
	for i := range s {
		offer(int32(i))
	}
	for len(heap) > 0 {
		top := heap.pop()
		left := &s[top.at]
		if left.n == 0 || left.next < 0 {
			continue
		}
		right := &s[left.next]
		if x, ok := join(top.at, left.next); !ok || x.id != top.id {
			continue // one of the two has been merged meanwhile
		}
		left.id = top.id
		left.n += right.n
		left.next = right.next
		right.n = 0
		if left.next >= 0 {
			s[left.next].prev = top.at
		}
		offer(left.prev)
		offer(top.at)
	}
}

// mergeHeap is a binary heap, the first candidate at 0.
type mergeHeap []candidate

func (h *mergeHeap) push(c candidate) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *mergeHeap) pop() candidate {
	s := *h
	top := s[0]
	n := len(s) - 1
	s[0] = s[n]
	*h = s[:n]
	for i := 0; ; {
		down := 2*i + 1
		if down >= n {
			return top
		}
		if down+1 < n && s[down+1].before(s[down]) {
			down++
		}
		if !s[down].before(s[i]) {
			return top
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
}
