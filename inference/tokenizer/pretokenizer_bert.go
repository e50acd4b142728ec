package tokenizer

import (
	"encoding/json"
	"unicode"
)

func init() {
	preTokenizers.register("BertPreTokenizer", func(json.RawMessage) (preTokenizer, error) {
		return bertPreTokenizer{}, nil
	})
}

// bertPreTokenizer drops white space and makes every punctuation mark a word.
type bertPreTokenizer struct{}

func (bertPreTokenizer) split(pieces []piece) ([]piece, error) {
	return isolate(isolate(pieces, unicode.IsSpace, true), isBertPunctuation, false), nil
}

func isBertPunctuation(r rune) bool {
	if r < 0x80 {
		return r >= '!' && r <= '/' || r >= ':' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
	}
	return isPunctuation(r)
}
