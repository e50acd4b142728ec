package tokenizer

import (
	"encoding/json"
	"strings"
)

func init() {
	decoders.register("Metaspace", func(raw json.RawMessage) (decoder, error) {
		m, err := parseMetaspace(raw)
		if err != nil {
			return nil, err
		}
		return tokenwise(m.(metaspace).token), nil
	})
}

// token writes blanks for the mark, and drops it from the first token.
func (m metaspace) token(i int, token string) string {
	blank := " "
	if i == 0 && m.scheme != "never" {
		blank = ""
	}
	return strings.ReplaceAll(token, string(m.mark), blank)
}
