package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

func init() { decoders.register("Strip", parseStripDecoder) }

// stripDecoder takes up to Start characters Content from the beginning of each
// token and up to Stop from its end.
type stripDecoder struct {
	content string
	lead    int
	stop    int
}

func parseStripDecoder(raw json.RawMessage) (decoder, error) {
	c := struct {
		Content string `json:"content"`
		Start   int    `json:"start"`
		Stop    int    `json:"stop"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(c.Content) != 1 || c.Start < 0 || c.Stop < 0 || c.Start > maxEntryBytes || c.Stop > maxEntryBytes {
		return nil, fmt.Errorf("%w: content must be one character, start and stop 0 to %d", ErrFormat, maxEntryBytes)
	}
	d := stripDecoder{c.Content, c.Start, c.Stop}
	if c.Stop > 0 {
		return tokenwise(d.token), nil
	}
	return d, nil
}

func (d stripDecoder) token(_ int, token string) string {
	for range d.lead {
		token = strings.TrimPrefix(token, d.content)
	}
	for range d.stop {
		token = strings.TrimSuffix(token, d.content)
	}
	return token
}

func (d stripDecoder) start() stage { return &stripStage{d: d} }

// stripStage strips beginnings without waiting for the end of the token.
type stripStage struct {
	d    stripDecoder
	left int // characters that may still go from the current token
}

func (s *stripStage) push(p part, out func(part)) {
	if p.first {
		s.left = s.d.lead
	}
	for ; s.left > 0 && p.s != ""; s.left-- {
		cut, ok := strings.CutPrefix(p.s, s.d.content)
		if !ok {
			s.left = 0
			break
		}
		p.s = cut
	}
	out(p)
}

func (s *stripStage) flush(func(part)) {}
