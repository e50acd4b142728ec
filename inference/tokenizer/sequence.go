package tokenizer

import (
	"encoding/json"
	"fmt"
)

// maxStages bounds a Sequence: published ones have up to six stages.
const maxStages = 32

// maxNesting bounds sequences inside sequences.
const maxNesting = 4

func init() {
	normalizers.register("Sequence", func(raw json.RawMessage) (normalizer, error) {
		list, err := parseStages(&normalizers, "normalizers", raw)
		return normalizerChain(list), err
	})
	preTokenizers.register("Sequence", func(raw json.RawMessage) (preTokenizer, error) {
		list, err := parseStages(&preTokenizers, "pretokenizers", raw)
		return preTokenizerChain(list), err
	})
	decoders.register("Sequence", func(raw json.RawMessage) (decoder, error) {
		list, err := parseStages(&decoders, "decoders", raw)
		return chain(list), err
	})
	postProcessors.register("Sequence", func(raw json.RawMessage) (postProcessor, error) {
		list, err := parseStages(&postProcessors, "processors", raw)
		if err != nil {
			return nil, err
		}
		return newPostChain(list)
	})
}

// parseStages reads the list under key.
func parseStages[T any](r *registry[T], key string, raw json.RawMessage) ([]T, error) {
	if nesting(raw) > maxNesting*4 {
		return nil, fmt.Errorf("%w: sequences lie in one another more than %d deep", ErrFormat, maxNesting)
	}
	var c map[string]json.RawMessage
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := decodeJSON(c[key], &list); err != nil {
		return nil, fmt.Errorf("%w: %s is not a list", ErrFormat, key)
	}
	if len(list) > maxStages {
		return nil, fmt.Errorf("%w: %d stages (at most %d are allowed)", ErrFormat, len(list), maxStages)
	}
	var out []T
	for _, raw := range list {
		if string(raw) == "null" {
			return nil, fmt.Errorf("%w: a stage of %s is null", ErrFormat, key)
		}
		v, err := r.parse(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// nesting is how deep brackets lie in one another, strings aside.
func nesting(raw []byte) int {
	deep, most, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			deep++
			most = max(most, deep)
		case c == '}' || c == ']':
			deep--
		}
	}
	return most
}

type normalizerChain []normalizer

func (c normalizerChain) normalize(t text) (text, error) {
	var err error
	for _, n := range c {
		if t, err = n.normalize(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

type preTokenizerChain []preTokenizer

func (c preTokenizerChain) split(pieces []piece) ([]piece, error) {
	var err error
	for _, p := range c {
		if pieces, err = p.split(pieces); err != nil {
			return nil, err
		}
	}
	return pieces, nil
}

// trimmer is a post-processor that changes tokens where they stand and leaves
// the joining to others.
type trimmer interface{ trim(tokens []Token) }

// postChain is any number of trimmers and at most one processor that joins.
type postChain struct {
	trimmers []trimmer
	joiner   postProcessor // nil: texts are joined as they are
}

func newPostChain(list []postProcessor) (postProcessor, error) {
	var c postChain
	for _, p := range list {
		t, ok := p.(trimmer)
		switch {
		case c.joiner != nil:
			return nil, fmt.Errorf("%w: a post-processor behind one that inserts special tokens", ErrUnsupported)
		case ok:
			c.trimmers = append(c.trimmers, t)
		default:
			c.joiner = p
		}
	}
	return c, nil
}

func (c postChain) inserted(pair bool) int {
	if c.joiner == nil {
		return 0
	}
	return c.joiner.inserted(pair)
}

func (c postChain) process(a, b []Token, pair, special bool) []Token {
	for _, t := range c.trimmers {
		t.trim(a)
		t.trim(b)
	}
	if c.joiner == nil {
		return append(a, b...)
	}
	return c.joiner.process(a, b, pair, special)
}
