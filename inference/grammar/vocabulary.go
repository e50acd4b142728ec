package grammar

import (
	"bytes"
	"slices"
)

// Vocabulary is the bytes of a model's tokens, ordered for walks. It never changes.
type Vocabulary struct {
	size   int
	first  *trie // of the token that begins an answer
	later  *trie
	bytes  [][]byte // by id, of later tokens; nil for what no document holds
	opener [][]byte // by id, of first tokens
	eos    []int32
}

// trie is a tree of byte strings in the order of a walk.
type trie struct {
	nodes []node8
	same  []int32 // tokens, node by node
	depth int
}

// node8 is reached by a byte; its subtree ends before skip, its tokens are same[tokens:] up
// to those of the next node.
type node8 struct {
	skip, tokens int32
	depth        uint16
	c            byte
}

// maxToken bounds the bytes of a token that a document may hold.
const maxToken = 1 << 12

// NewVocabulary takes size ids, what each adds to a text as its first token and as a later
// one (nil for special tokens and unknown ids), and the ids that end an answer.
func NewVocabulary(size int, bytes func(id int32, first bool) []byte, eos []int32) *Vocabulary {
	v := &Vocabulary{size: size, eos: eos, bytes: make([][]byte, size), opener: make([][]byte, size)}
	equal := true
	for id := range int32(size) {
		if slices.Contains(eos, id) {
			continue
		}
		v.bytes[id], v.opener[id] = bytes(id, false), bytes(id, true)
		equal = equal && string(v.bytes[id]) == string(v.opener[id])
	}
	v.later = newTrie(v.bytes)
	if v.first = v.later; !equal {
		v.first = newTrie(v.opener)
	}
	return v
}

func newTrie(list [][]byte) *trie {
	order := make([]int32, 0, len(list))
	for id, b := range list {
		if len(b) > 0 && len(b) <= maxToken {
			order = append(order, int32(id))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return bytes.Compare(list[a], list[b]) })
	t := &trie{}
	var path []int32 // nodes above and at the last token
	var last []byte
	for _, id := range order {
		b := list[id]
		common := 0
		for common < len(last) && common < len(b) && last[common] == b[common] {
			common++
		}
		for _, n := range path[common:] {
			t.nodes[n].skip = int32(len(t.nodes))
		}
		path = path[:common]
		for i := common; i < len(b); i++ {
			path = append(path, int32(len(t.nodes)))
			t.nodes = append(t.nodes, node8{c: b[i], depth: uint16(i), tokens: int32(len(t.same))})
		}
		t.same = append(t.same, id)
		last, t.depth = b, max(t.depth, len(b))
	}
	for _, n := range path {
		t.nodes[n].skip = int32(len(t.nodes))
	}
	return t
}

// mask marks the tokens of t that can follow from a moment of m. The machine's work since
// its last reset of the counter is bounded by maxWork.
func (v *Vocabulary) mask(m *machine, t *trie, at int32) ([]uint64, error) {
	out := make([]uint64, (v.size+63)/64)
	places := make([]int32, t.depth+1)
	places[0] = at
	m.work = 0
	for i := 0; i < len(t.nodes); {
		n := &t.nodes[i]
		to := m.step(places[n.depth], n.c)
		if m.work > maxWork {
			return nil, errWork
		}
		if to == dead {
			i = int(n.skip)
			continue
		}
		places[n.depth+1] = to
		// A node's own tokens come before its children's in the order of the walk.
		end := int32(len(t.same))
		if i+1 < len(t.nodes) {
			end = t.nodes[i+1].tokens
		}
		for _, id := range t.same[n.tokens:end] {
			out[id>>6] |= 1 << (id & 63)
		}
		i++
	}
	if m.moments[at].accepts {
		for _, id := range v.eos {
			if int(id) < v.size && id >= 0 {
				out[id>>6] |= 1 << (id & 63)
			}
		}
	}
	return out, nil
}
