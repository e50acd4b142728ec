package tokenizer

import "encoding/json"

func init() { postProcessors.register("RobertaProcessing", parseRoberta) }

func parseRoberta(raw json.RawMessage) (postProcessor, error) {
	var c struct {
		Sep, CLS json.RawMessage
		byteLevelConfig
	}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	sep, sepID, err := parseNamedID(c.Sep)
	if err != nil {
		return nil, err
	}
	cls, clsID, err := parseNamedID(c.CLS)
	if err != nil {
		return nil, err
	}
	return newRoberta(cls, clsID, sep, sepID, byteLevelTrim{orTrue(c.TrimOffsets), orTrue(c.AddPrefixSpace)}), nil
}

func newRoberta(cls string, clsID int32, sep string, sepID int32, blanks byteLevelTrim) robertaPost {
	end := templatePiece{sequence: -1, special: []Token{specialToken(sepID, sep, 0)}}
	single := []templatePiece{{sequence: -1, special: []Token{specialToken(clsID, cls, 0)}}, {sequence: 0}, end}
	pair := append(single[:3:3], end, templatePiece{sequence: 1}, end)
	return robertaPost{blanks, template{single, pair}}
}

// robertaPost is <s> A </s> </s> B </s> with every type 0, behind the trimming
// of byte-level offsets.
type robertaPost struct {
	blanks byteLevelTrim
	marks  template
}

func (r robertaPost) inserted(pair bool) int { return r.marks.inserted(pair) }

func (r robertaPost) process(a, b []Token, pair, special bool) []Token {
	r.blanks.trim(a)
	r.blanks.trim(b)
	return r.marks.process(a, b, pair, special)
}
