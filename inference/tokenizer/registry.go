package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// The stages of a tokenizer.json. Each kind lives in its own file and registers
// its parser from init() under the name that the file's "type" field uses.
type (
	// normalizer rewrites a text before it is split. Errors as preTokenizer's.
	normalizer interface{ normalize(text) (text, error) }
	// preTokenizer splits pieces into words; it may rewrite their characters.
	// Errors wrap ErrText: a pattern that takes too many steps on this text.
	preTokenizer interface {
		split([]piece) ([]piece, error)
	}
	// model turns a word into ids; emit gets each token's stretch [from,to) of
	// the word, in characters.
	model interface {
		tokenize(word text, emit func(id int32, value string, from, to int))
		vocabulary() map[string]int32
	}
	// postProcessor joins the two texts and inserts special tokens.
	postProcessor interface {
		process(a, b []Token, pair, special bool) []Token
		inserted(pair bool) int
	}
	// decoder rewrites tokens so that their concatenation is text, one token
	// after another: decoding a stream and decoding a list are the same code.
	decoder interface{ start() stage }
)

// registry maps a type name to the parser of its JSON object.
type registry[T any] struct {
	stage   string
	parsers map[string]func(json.RawMessage) (T, error)
}

var (
	normalizers    = registry[normalizer]{stage: "normalizer"}
	preTokenizers  = registry[preTokenizer]{stage: "pre-tokenizer"}
	models         = registry[model]{stage: "tokenizer model"}
	postProcessors = registry[postProcessor]{stage: "post-processor"}
	decoders       = registry[decoder]{stage: "decoder"}
)

// register panics on an empty or a repeated name.
func (r *registry[T]) register(name string, parse func(json.RawMessage) (T, error)) {
	if _, twice := r.parsers[name]; twice || name == "" || parse == nil {
		panic("tokenizer: bad or repeated registration of " + r.stage + " " + name)
	}
	if r.parsers == nil {
		r.parsers = map[string]func(json.RawMessage) (T, error){}
	}
	r.parsers[name] = parse
}

// names lists what is registered, sorted.
func (r *registry[T]) names() []string {
	var out []string
	for n := range r.parsers {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// parse reads {"type": ...}; the zero T where raw is absent or null.
func (r *registry[T]) parse(raw json.RawMessage) (T, error) {
	var zero T
	if len(raw) == 0 || string(raw) == "null" {
		return zero, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return zero, fmt.Errorf("%w: the %s is not an object with a type", ErrFormat, r.stage)
	}
	parse, ok := r.parsers[head.Type]
	if !ok {
		return zero, fmt.Errorf("%w: %s %.40q (this build runs %v)", ErrUnsupported, r.stage, head.Type, r.names())
	}
	v, err := parse(raw)
	if err != nil {
		return zero, fmt.Errorf("%s %s: %w", r.stage, head.Type, err)
	}
	return v, nil
}

// decodeJSON is json.Unmarshal with ErrFormat and a message without Go types.
func decodeJSON(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: %.60q holds a %s, which does not belong there", ErrFormat, mismatch.Field, mismatch.Value)
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

func appendRune(b []byte, r rune) []byte { return utf8.AppendRune(b, r) }
