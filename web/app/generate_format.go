package app

import (
	"encoding/json"
	"errors"

	"vitrine/inference"
	"vitrine/inference/grammar"
)

// FormatRequest is what an answer must be. It is enforced while the answer is written: an
// answer that ends by itself is in the format, and one that ran out of tokens (Finish is
// "length") begins a text of it.
type FormatRequest struct {
	Type   string          `json:"type"`             // json_object, json_schema or regex
	Schema json.RawMessage `json:"schema,omitempty"` // of json_schema
	Text   string          `json:"text,omitempty"`   // of regex
}

// ReadFormat takes the response_format of a chat or the grammar of a text generation, in
// the dialects that grammar.FromResponseFormat names; nil for any text. Errors: ErrInput for
// a type or member that is not known; the schema itself is judged by Generate.
func ReadFormat(raw json.RawMessage) (*FormatRequest, error) {
	kind, schema, pattern, err := grammar.ReadResponseFormat(raw)
	if err != nil || kind == "" {
		return nil, formatError(err)
	}
	return &FormatRequest{Type: kind, Schema: schema, Text: pattern}, nil
}

// grammar is the format's; nil for nil. Errors: ErrInput for what cannot be enforced, which
// is never ignored.
func (f *FormatRequest) grammar() (g *grammar.Grammar, err error) {
	if f == nil {
		return nil, nil
	}
	switch {
	case f.Type == "json_object" && f.Schema == nil && f.Text == "":
		g, err = grammar.Object()
	case f.Type == "json_schema" && f.Schema != nil && f.Text == "":
		g, err = grammar.JSON(f.Schema)
	case f.Type == "regex" && f.Schema == nil && f.Text != "":
		g, err = grammar.Regexp(f.Text)
	default:
		return nil, fail(ErrInput, "use json_object, json_schema with a schema, or regex with a text", "the format %q cannot be enforced here, and is not ignored", clip(f.Type))
	}
	return g, formatError(err)
}

// formatError says what cannot be enforced.
func formatError(err error) error {
	if err == nil {
		return nil
	}
	hint := "simplify the format, or leave it out and check the answer yourself"
	if errors.Is(err, grammar.ErrSyntax) {
		hint = "correct the format"
	}
	return fail(ErrInput, hint, "%s", plain(err))
}

// allow is what removes or weighs tokens before any other rule, made anew for each answer;
// nil for nothing. broken says afterwards why a form left nothing to write.
func (r *GenerateRequest) allow(m *inference.Model, form *grammar.Grammar) (allow func(written []int32, logits []float32), broken func() error, err error) {
	broken = func() error { return nil }
	if form != nil {
		c, err := m.Constrain(form)
		if err != nil {
			return nil, nil, err
		}
		allow, broken = c.Allow, c.Err
	}
	if len(r.Bias) == 0 {
		return allow, broken, nil
	}
	constrain := allow
	return func(written []int32, logits []float32) {
		for id, b := range r.Bias {
			if id >= 0 && int(id) < len(logits) {
				logits[id] += float32(b)
			}
		}
		if constrain != nil {
			constrain(written, logits)
		}
	}, broken, nil
}
