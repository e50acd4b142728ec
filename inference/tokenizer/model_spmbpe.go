package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// spmBPE is SentencePiece's BPE: of two neighbours those are joined whose joint text is the piece with the highest
// score, of equal ones the leftmost. n log n in the text.
type spmBPE struct {
	vocab map[string]int32 // what may come of a text
	all   map[string]int32 // every token, nil: vocab
	rank  []int32          // by id: 0 for the highest score
	bytes *[256]int32
	unk   int32
}

func newSPMBPE(vocab map[string]int32, scores []float64, unk int32) (*spmBPE, error) {
	order := make([]int32, len(scores))
	for i, s := range scores {
		if math.IsNaN(s) {
			return nil, fmt.Errorf("%w: token %d has no score", ErrFormat, i)
		}
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	m := &spmBPE{vocab: vocab, rank: make([]int32, len(scores)), bytes: byteTokens(vocab), unk: unk}
	for i, id := range order {
		if i > 0 && scores[order[i-1]] == scores[id] {
			m.rank[id] = m.rank[order[i-1]]
		} else {
			m.rank[id] = int32(i)
		}
	}
	return m, nil
}

func (m *spmBPE) vocabulary() map[string]int32 {
	if m.all != nil {
		return m.all
	}
	return m.vocab
}

func (m *spmBPE) tokenize(word text, emit func(id int32, value string, from, to int)) {
	s := word.String()
	symbols := make([]symbol, len(word)) // n counts bytes
	starts := make([]int, len(word)+1)
	for i, c := range word {
		symbols[i] = symbol{n: int32(runeLen(c.r)), prev: int32(i - 1), next: int32(i + 1)}
		starts[i+1] = starts[i] + runeLen(c.r)
	}
	mergeAll(symbols, func(left, right int32) (merge, bool) {
		id, ok := m.vocab[s[starts[left]:starts[right]+int(symbols[right].n)]]
		if !ok {
			return merge{}, false
		}
		return merge{m.rank[id], id}, true
	})
	for i := 0; i < len(symbols); {
		to := i + 1
		for to < len(symbols) && symbols[to].n == 0 {
			to++
		}
		piece := s[starts[i]:starts[to]]
		if id, ok := m.vocab[piece]; ok {
			emit(id, piece, i, to)
		} else if m.bytes != nil && spelled(m.bytes, piece) {
			for j := range len(piece) {
				emit(m.bytes[piece[j]], fmt.Sprintf("<0x%02X>", piece[j]), i, to)
			}
		} else {
			emit(m.unk, piece, i, to)
		}
		i = to
	}
}
