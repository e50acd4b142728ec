package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// pipeline is a tokenizer.json at work.
type pipeline struct {
	added     *addedTable
	normalize normalizer    // nil: none
	pre       preTokenizer  // nil: a piece is one word
	model     model         //
	post      postProcessor // nil: texts are joined, types 0 and 1
	decode    decoder       // nil: tokens are joined by blanks
	names     []string      // id -> model token, "" where there is none
	size      int
	special   SpecialIDs
	digest    string
	limits    limits
}

func (p *pipeline) Special() SpecialIDs { return p.special }
func (p *pipeline) VocabSize() int      { return p.size }
func (p *pipeline) Digest() string      { return p.digest }

func (p *pipeline) Encode(s string, pair *string, special bool) (Encoding, error) {
	a, b, err := p.both(s, pair)
	if err != nil {
		return Encoding{}, err
	}
	return Encoding{Tokens: p.join(a, b, pair != nil, special)}, nil
}

func (p *pipeline) both(s string, pair *string) (a, b []Token, err error) {
	if a, err = p.one(s, false); err == nil && pair != nil {
		b, err = p.one(*pair, true)
	}
	return a, b, err
}

func (p *pipeline) join(a, b []Token, pair, special bool) []Token {
	if p.post != nil {
		return p.post.process(a, b, pair, special)
	}
	return append(a, b...)
}

// one tokenizes a text without special tokens around it.
func (p *pipeline) one(s string, second bool) ([]Token, error) {
	if len(s) > MaxTextBytes {
		return nil, fmt.Errorf("tokenizer: %w: it has %d bytes, at most %d are allowed; send it in parts", ErrText, len(s), MaxTextBytes)
	}
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("tokenizer: %w: it is not valid UTF-8; convert it to UTF-8 first", ErrText)
	}
	pieces, err := p.added.extract(s, p.normalize)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: normalising: %w", err)
	}
	if p.pre != nil {
		if pieces, err = p.pre.split(pieces); err != nil {
			return nil, fmt.Errorf("tokenizer: splitting into words: %w", err)
		}
	}
	typeID := int32(0)
	if second {
		typeID = 1
	}
	out := make([]Token, 0, len(pieces)+len(pieces)/4)
	for word, piece := range pieces {
		emit := func(id int32, value string, from, to int) {
			out = append(out, Token{ID: id, Text: value, Start: int(piece.chars[from].start), End: int(piece.chars[to-1].end),
				Word: word, Type: typeID, Pair: second})
		}
		if piece.added {
			emit(piece.id, piece.chars.String(), 0, len(piece.chars))
			continue
		}
		p.model.tokenize(piece.chars, emit)
	}
	return out, nil
}
