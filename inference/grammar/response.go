package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// FromResponseFormat is the grammar of an answer's response_format, in the dialects of the
// clients that are in use: nil for {"type":"text"} and for null; any JSON object for
// {"type":"json_object"}; and a JSON schema for
//
//	{"type":"json_schema","json_schema":{"name":…,"schema":…,"strict":…}}   (OpenAI)
//	{"type":"json_object","value":…}, {"type":"json","value":…}             (Hugging Face)
//	{"type":"json_object","schema":…}                                        (llama.cpp)
//
// and {"type":"regex","value":"…"} of Hugging Face's grammars for an expression. strict
// makes no difference: a schema is always enforced. Unknown types and members are errors.
// Errors wrap [ErrSyntax] or [ErrUnsupported].
func FromResponseFormat(raw json.RawMessage) (*Grammar, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if len(raw) > 2*maxSchema {
		return nil, unsupported("a format of %d bytes", len(raw))
	}
	var f struct {
		Type       string          `json:"type"`
		Value      json.RawMessage `json:"value"`
		Schema     json.RawMessage `json:"schema"`
		JSONSchema *struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Schema      json.RawMessage `json:"schema"`
			Strict      *bool           `json:"strict"`
		} `json:"json_schema"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("grammar: %w: response_format: %w", ErrSyntax, err)
	}
	schema := f.Value
	if schema == nil {
		schema = f.Schema
	} else if f.Schema != nil {
		return nil, fmt.Errorf("grammar: %w: response_format has both schema and value", ErrSyntax)
	}
	if f.JSONSchema != nil && (f.Type != "json_schema" || schema != nil) || f.Type == "text" && schema != nil {
		return nil, fmt.Errorf("grammar: %w: response_format of type %q has a member that is not of it", ErrSyntax, clip(f.Type))
	}
	switch f.Type {
	case "text":
		return nil, nil
	case "json_schema":
		if f.JSONSchema != nil {
			schema = f.JSONSchema.Schema
		}
		if schema == nil {
			return nil, fmt.Errorf("grammar: %w: response_format has no json_schema.schema", ErrSyntax)
		}
		return JSON(schema)
	case "json_object", "json":
		if schema == nil {
			return Object()
		}
		return JSON(schema)
	case "regex":
		var pattern string
		if err := json.Unmarshal(schema, &pattern); err != nil || pattern == "" {
			return nil, fmt.Errorf("grammar: %w: response_format of type regex needs a value that is a text", ErrSyntax)
		}
		return Regexp(pattern)
	}
	return nil, unsupported("the type %q of response_format; those possible are text, json_object, json_schema and regex", clip(f.Type))
}
