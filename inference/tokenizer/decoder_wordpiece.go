package tokenizer

import (
	"encoding/json"
	"strings"
)

func init() { decoders.register("WordPiece", parseWordPieceDecoder) }

// wordPieceDecoder is tokenizers/src/decoders/wordpiece.rs.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func parseWordPieceDecoder(raw json.RawMessage) (decoder, error) {
	c := struct {
		Prefix  *string `json:"prefix"`
		Cleanup *bool   `json:"cleanup"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	d := wordPieceDecoder{prefix: "##", cleanup: orTrue(c.Cleanup)}
	if c.Prefix != nil {
		d.prefix = *c.Prefix
	}
	return d, nil
}

// tidy lists the replacements in the order in which the reference applies them.
var tidy = [][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

func (d wordPieceDecoder) start() stage { return tokenwise(d.token).start() }

func (d wordPieceDecoder) token(i int, t string) string {
	if i > 0 {
		if cut, ok := strings.CutPrefix(t, d.prefix); ok {
			t = cut
		} else {
			t = " " + t
		}
	}
	if d.cleanup {
		for _, r := range tidy {
			t = strings.ReplaceAll(t, r[0], r[1])
		}
	}
	return t
}
