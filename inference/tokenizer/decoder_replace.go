package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

func init() {
	decoders.register("Replace", func(raw json.RawMessage) (decoder, error) {
		r, err := parseReplacement(raw)
		if err != nil {
			return nil, err
		}
		old, ok := r.pattern.(literal)
		if !ok {
			return nil, fmt.Errorf("%w: a regular expression in a decoder", ErrUnsupported)
		}
		return tokenwise(func(_ int, token string) string {
			return strings.ReplaceAll(token, string(old), string(r.content))
		}), nil
	})
}
