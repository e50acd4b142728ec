package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

func init() {
	preTokenizers.register("Split", parseSplit)
	preTokenizers.register("Digits", parseDigits)
	preTokenizers.register("Punctuation", parsePunctuation)
	preTokenizers.register("WhitespaceSplit", func(json.RawMessage) (preTokenizer, error) {
		return splitter{pattern: oneOf(unicode.IsSpace), behaviour: "Removed"}, nil
	})
	preTokenizers.register("Whitespace", func(json.RawMessage) (preTokenizer, error) {
		return splitter{pattern: wordsOrSymbols{}, behaviour: "Removed", invert: true}, nil
	})
	preTokenizers.register("CharDelimiterSplit", parseCharDelimiter)
}

func parseSplit(raw json.RawMessage) (preTokenizer, error) {
	c := struct {
		Pattern  json.RawMessage `json:"pattern"`
		Behavior behaviour       `json:"behavior"`
		Invert   bool            `json:"invert"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	p, err := parsePattern(c.Pattern)
	if err != nil {
		return nil, err
	}
	return splitter{p, c.Behavior, c.Invert}, c.Behavior.check()
}

func parseDigits(raw json.RawMessage) (preTokenizer, error) {
	c := struct {
		Individual bool `json:"individual_digits"`
	}{}
	number := func(r rune) bool { return isNumber(r) || r >= 0x80 && unicode.Is(laterNumbers, r) }
	s := splitter{pattern: oneOf(number), behaviour: "Contiguous"}
	err := decodeJSON(raw, &c)
	if c.Individual {
		s.behaviour = "Isolated"
	}
	return s, err
}

func parsePunctuation(raw json.RawMessage) (preTokenizer, error) {
	c := struct {
		Behavior behaviour `json:"behavior"`
	}{Behavior: "Isolated"}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	return splitter{pattern: oneOf(isBertPunctuation), behaviour: c.Behavior}, c.Behavior.check()
}

func parseCharDelimiter(raw json.RawMessage) (preTokenizer, error) {
	c := struct {
		Delimiter string `json:"delimiter"`
	}{}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	d, n := utf8.DecodeRuneInString(c.Delimiter)
	if n == 0 || n != len(c.Delimiter) {
		return nil, fmt.Errorf("%w: the delimiter must be one character", ErrFormat)
	}
	return splitter{pattern: oneOf(func(r rune) bool { return r == d }), behaviour: "Removed"}, nil
}

// wordsOrSymbols is \w+|[^\w\s]+.
type wordsOrSymbols struct{}

func (wordsOrSymbols) find(t text, from int, _ *int) (int, int, bool, error) {
	from = t.run(from, func(r rune) bool { return !isWord(r) && unicode.IsSpace(r) })
	if from == len(t) {
		return 0, 0, false, nil
	}
	if to := t.run(from, isWord); to > from {
		return from, to, true, nil
	}
	return from, t.run(from, func(r rune) bool { return !isWord(r) && !unicode.IsSpace(r) }), true, nil
}
