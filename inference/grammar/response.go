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
//	{"type":"json_schema","value":{"name":…,"schema":…}}                     (Hugging Face)
//	{"type":"json_object","schema":…}                                        (llama.cpp)
//
// and {"type":"regex","value":"…"} of Hugging Face's grammars for an expression. strict
// makes no difference: a schema is always enforced. Unknown types and members are errors.
// Errors wrap [ErrSyntax] or [ErrUnsupported].
func FromResponseFormat(raw json.RawMessage) (*Grammar, error) {
	kind, schema, pattern, err := ReadResponseFormat(raw)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "json_object":
		return Object()
	case "json_schema":
		return JSON(schema)
	case "regex":
		return Regexp(pattern)
	}
	return nil, nil
}

// ReadResponseFormat brings the dialects of [FromResponseFormat] into one: kind is "" for
// any text, json_object, json_schema with a schema, or regex with a pattern. Schema and
// pattern are not compiled.
func ReadResponseFormat(raw json.RawMessage) (kind string, schema json.RawMessage, pattern string, err error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return "", nil, "", nil
	}
	if len(raw) > 2*maxSchema {
		return "", nil, "", unsupported("a format of %d bytes", len(raw))
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
		return "", nil, "", fmt.Errorf("grammar: %w: response_format: %w", ErrSyntax, err)
	}
	wrong := func(what string) (string, json.RawMessage, string, error) {
		return "", nil, "", fmt.Errorf("grammar: %w: response_format of type %q %s", ErrSyntax, clip(f.Type), what)
	}
	if schema = f.Value; schema == nil {
		schema = f.Schema
	} else if f.Schema != nil {
		return wrong("has both schema and value")
	}
	if f.JSONSchema != nil && (f.Type != "json_schema" || schema != nil) || f.Type == "text" && schema != nil {
		return wrong("has a member that is not of it")
	}
	switch f.Type {
	case "text":
		return "", nil, "", nil
	case "json_schema":
		if f.JSONSchema != nil {
			schema = f.JSONSchema.Schema
		} else if inner := named(schema); inner != nil {
			schema = inner
		}
		if schema == nil {
			return wrong("has no json_schema.schema")
		}
		return f.Type, schema, "", nil
	case "json_object", "json":
		if schema == nil {
			return "json_object", nil, "", nil
		}
		return "json_schema", schema, "", nil
	case "regex":
		if err := json.Unmarshal(schema, &pattern); err != nil || pattern == "" {
			return wrong("needs a value that is a text")
		}
		return f.Type, nil, pattern, nil
	}
	return "", nil, "", unsupported("the type %q of response_format; those possible are text, json_object, json_schema and regex", clip(f.Type))
}

// named is the schema within {"name":…,"schema":…}; no schema has a keyword "schema".
func named(raw json.RawMessage) json.RawMessage {
	var f struct {
		Schema json.RawMessage `json:"schema"`
	}
	if json.Unmarshal(raw, &f) != nil {
		return nil
	}
	return f.Schema
}
