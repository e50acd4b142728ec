package tokenizer

import (
	"encoding/json"
	"fmt"
)

func init() { postProcessors.register("TemplateProcessing", parseTemplate) }

// maxTemplate bounds a template: published ones have up to five pieces.
const maxTemplate = 16

// templatePiece is a sequence (0 or 1) or a run of special tokens.
type templatePiece struct {
	sequence int // -1 for special tokens
	typeID   int32
	special  []Token
}

// template is tokenizers' TemplateProcessing: token types are set by the
// template even where special tokens are left out.
type template struct{ single, pair []templatePiece }

type templateRef struct {
	ID     string `json:"id"`
	TypeID int32  `json:"type_id"`
}

func parseTemplate(raw json.RawMessage) (postProcessor, error) {
	type rawPiece struct {
		Sequence     *templateRef
		SpecialToken *templateRef
	}
	c := struct {
		Single  []rawPiece `json:"single"`
		Pair    []rawPiece `json:"pair"`
		Special map[string]struct {
			IDs    []int32  `json:"ids"`
			Tokens []string `json:"tokens"`
		} `json:"special_tokens"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	build := func(in []rawPiece) ([]templatePiece, error) {
		if len(in) > maxTemplate {
			return nil, fmt.Errorf("%w: a template of %d pieces (at most %d are allowed)", ErrFormat, len(in), maxTemplate)
		}
		var out []templatePiece
		for _, p := range in {
			switch {
			case p.Sequence != nil && (p.Sequence.ID == "A" || p.Sequence.ID == "B"):
				out = append(out, templatePiece{sequence: int(p.Sequence.ID[0] - 'A'), typeID: p.Sequence.TypeID})
			case p.SpecialToken != nil:
				s, ok := c.Special[p.SpecialToken.ID]
				if !ok || len(s.IDs) != len(s.Tokens) || len(s.IDs) > maxTemplate {
					return nil, fmt.Errorf("%w: special token %.40q of the template is not defined", ErrFormat, p.SpecialToken.ID)
				}
				piece := templatePiece{sequence: -1}
				for i, id := range s.IDs {
					piece.special = append(piece.special, specialToken(id, s.Tokens[i], p.SpecialToken.TypeID))
				}
				out = append(out, piece)
			default:
				return nil, fmt.Errorf("%w: a template piece is neither sequence A or B nor a special token", ErrFormat)
			}
		}
		return out, nil
	}
	single, err := build(c.Single)
	if err != nil {
		return nil, err
	}
	pair, err := build(c.Pair)
	if err != nil {
		return nil, err
	}
	return template{single: single, pair: pair}, nil
}

// specialToken is a token that covers no text.
func specialToken(id int32, value string, typeID int32) Token {
	return Token{ID: id, Text: value, Special: true, Word: -1, Type: typeID}
}

func (t template) pieces(pair bool) []templatePiece {
	if pair {
		return t.pair
	}
	return t.single
}

func (t template) inserted(pair bool) int {
	n := 0
	for _, p := range t.pieces(pair) {
		n += len(p.special)
	}
	return n
}

func (t template) process(a, b []Token, pair, special bool) []Token {
	out := make([]Token, 0, len(a)+len(b)+t.inserted(pair))
	for _, p := range t.pieces(pair) {
		switch p.sequence {
		case -1:
			if special {
				out = append(out, p.special...)
			}
			continue
		case 0:
			out = append(out, a...)
			typed(out[len(out)-len(a):], p.typeID)
		case 1:
			out = append(out, b...)
			typed(out[len(out)-len(b):], p.typeID)
		}
	}
	return out
}

func typed(tokens []Token, id int32) {
	for i := range tokens {
		tokens[i].Type = id
	}
}
