package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Bounds of the added-token table.
const (
	maxAdded      = 1 << 16
	maxAddedChars = 512
)

// addedToken is one entry of "added_tokens".
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// addedTable finds added tokens in a text before (raw) and after (normal) the
// normalizer, as tokenizers' AddedVocabulary.
type addedTable struct {
	byID    map[int32]addedToken
	ids     map[string]int32
	shown   map[int32]string // what decoding shows: the normalised form
	special map[string]bool  // contents that decoding may skip
	raw     trie
	normal  trie
}

func parseAdded(raw json.RawMessage) ([]addedToken, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var list []addedToken
	if err := decodeJSON(raw, &list); err != nil {
		return nil, err
	}
	return list, nil
}

// newAddedTable: an id that the vocabulary already gives to the content wins
// over the one in the list, as in the reference library.
func newAddedTable(list []addedToken, vocab map[string]int32, n normalizer) (*addedTable, error) {
	if len(list) > maxAdded {
		return nil, fmt.Errorf("%w: %d added tokens (at most %d are allowed)", ErrFormat, len(list), maxAdded)
	}
	t := &addedTable{byID: map[int32]addedToken{}, ids: map[string]int32{}, shown: map[int32]string{}, special: map[string]bool{}}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b addedToken) int { return int(a.ID - b.ID) })
	chars := 0
	for _, a := range list {
		if a.Content == "" {
			continue
		}
		if chars += len(a.Content); chars > maxTrieChars {
			return nil, fmt.Errorf("%w: the added tokens have more than %d bytes together", ErrFormat, maxTrieChars)
		}
		if a.ID < 0 || a.ID >= maxID {
			return nil, fmt.Errorf("%w: added token id %d is outside 0 to %d", ErrFormat, a.ID, maxID-1)
		}
		if utf8.RuneCountInString(a.Content) > maxAddedChars {
			return nil, fmt.Errorf("%w: added token %d is longer than %d characters", ErrFormat, a.ID, maxAddedChars)
		}
		if id, ok := vocab[a.Content]; ok {
			a.ID = int64(id)
		}
		id := int32(a.ID)
		shown := a.Content
		if a.Normalized && n != nil {
			normal, err := n.normalize(newText(a.Content))
			if err != nil {
				return nil, err
			}
			shown = normal.String()
		}
		t.byID[id], t.ids[a.Content], t.shown[id] = a, id, shown
		if a.Special {
			t.special[a.Content] = true
		}
		if a.Normalized {
			t.normal.add(shown, id)
		} else {
			t.raw.add(a.Content, id)
		}
	}
	return t, nil
}

// extract cuts s at added tokens and normalises what lies between them. Empty
// pieces are left out.
func (t *addedTable) extract(s string, n normalizer) ([]piece, error) {
	var out []piece
	for _, p := range t.cut(newText(s), &t.raw) {
		if p.added {
			out = append(out, p)
			continue
		}
		chars := p.chars
		if n != nil {
			var err error
			if chars, err = n.normalize(chars); err != nil {
				return nil, err
			}
		}
		out = append(out, t.cut(chars, &t.normal)...)
	}
	return out, nil
}

// cut isolates the leftmost, longest matches of set.
func (t *addedTable) cut(chars text, set *trie) []piece {
	if len(chars) == 0 {
		return nil
	}
	if set.empty() {
		return []piece{{chars: chars}}
	}
	var out []piece
	done := 0
	for at := 0; at < len(chars); {
		id, n := set.longest(chars[at:])
		if n == 0 {
			at++
			continue
		}
		from, to := at, at+n
		at = to
		a := t.byID[id]
		if a.SingleWord && (from > 0 && isWord(chars[from-1].r) || to < len(chars) && isWord(chars[to].r)) {
			continue
		}
		if a.LStrip {
			for from > 0 && unicode.IsSpace(chars[from-1].r) {
				from--
			}
		}
		from = max(from, done) // an earlier rstrip may have taken these blanks
		if a.RStrip {
			for to < len(chars) && unicode.IsSpace(chars[to].r) {
				to++
			}
		}
		if done < from {
			out = append(out, piece{chars: chars[done:from:from]})
		}
		out = append(out, piece{chars: chars[from:to:to], added: true, id: id})
		done = to
		at = max(at, done)
	}
	if done < len(chars) {
		out = append(out, piece{chars: chars[done:]})
	}
	return out
}

// isWord is \w of the Rust regex crate (UTS 18, annex C).
func isWord(r rune) bool {
	if r < 0x80 {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
	}
	return isLetter(r) || isMark(r) || isDecimal(r) || r == 0x200c || r == 0x200d ||
		unicode.In(r, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic)
}

// trie holds contents by character; node 0 is the root.
type trie struct {
	edges map[uint64]int32 // from node and character to node
	id    []int32          // -1 where no content ends
}

// maxTrieChars bounds what a vocabulary may put into a trie: published ones
// have up to two million characters.
const maxTrieChars = 8 << 20

func (t *trie) empty() bool { return len(t.id) == 0 }

func edge(node int32, r rune) uint64 { return uint64(node)<<21 | uint64(r) }

// step goes on from a node by a character.
func (t *trie) step(node int32, r rune) (int32, bool) {
	to, ok := t.edges[edge(node, r)]
	return to, ok
}

func (t *trie) add(content string, id int32) {
	if content == "" {
		return
	}
	if t.empty() {
		t.edges, t.id = map[uint64]int32{}, []int32{-1}
	}
	at := int32(0)
	for _, r := range content {
		to, ok := t.step(at, r)
		if !ok {
			to = int32(len(t.id))
			t.id = append(t.id, -1)
			t.edges[edge(at, r)] = to
		}
		at = to
	}
	t.id[at] = id
}

// longest is the longest content that chars begins with; n is 0 for none.
func (t *trie) longest(chars text) (id int32, n int) {
	at := int32(0)
	for i, c := range chars {
		to, ok := t.step(at, c.r)
		if !ok {
			break
		}
		at = to
		if t.id[at] >= 0 {
			id, n = t.id[at], i+1
		}
	}
	return id, n
}
