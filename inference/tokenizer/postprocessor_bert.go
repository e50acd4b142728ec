package tokenizer

import (
	"encoding/json"
	"fmt"
)

func init() { postProcessors.register("BertProcessing", parseBertProcessing) }

// parseBertProcessing reads the older form of [CLS] A [SEP] B [SEP].
func parseBertProcessing(raw json.RawMessage) (postProcessor, error) {
	var c struct{ Sep, CLS json.RawMessage }
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
	return bertTemplate(cls, clsID, sep, sepID), nil
}

// parseNamedID reads ["[SEP]", 102].
func parseNamedID(raw json.RawMessage) (string, int32, error) {
	var parts []json.RawMessage
	var name string
	var id int32
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 2 || json.Unmarshal(parts[0], &name) != nil || json.Unmarshal(parts[1], &id) != nil {
		return "", 0, fmt.Errorf("%w: sep and cls must be [token, id]", ErrFormat)
	}
	return name, id, nil
}

func bertTemplate(cls string, clsID int32, sep string, sepID int32) template {
	mark := func(id int32, name string, typeID int32) templatePiece {
		return templatePiece{sequence: -1, special: []Token{specialToken(id, name, typeID)}}
	}
	single := []templatePiece{mark(clsID, cls, 0), {sequence: 0}, mark(sepID, sep, 0)}
	pair := append(single[:3:3], templatePiece{sequence: 1, typeID: 1}, mark(sepID, sep, 1))
	return template{single: single, pair: pair}
}
