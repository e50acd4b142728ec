package web

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestResponseFormat: the three dialects of response_format, and the grammars of text
// generation, hold the answer to the schema; one that is not enforced is refused by name.
func TestResponseFormat(t *testing.T) {
	w := startWriter(t)
	c := w.client(t)
	type obj = map[string]any
	schema := obj{"type": "object", "properties": obj{"who": obj{"enum": []string{"joe", "ann"}}, "n": obj{"type": "integer", "minimum": 1, "maximum": 9}},
		"required": []string{"who", "n"}, "additionalProperties": false}
	fits := func(text string) {
		t.Helper()
		var v struct {
			Who string
			N   int
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.Who != "joe" && v.Who != "ann" || v.N < 1 || v.N > 9 {
			t.Errorf("%q: %v", text, err)
		}
	}
	chat := func(format any) obj {
		return obj{"model": "chain", "messages": []obj{{"role": "user", "content": "Who?"}}, "response_format": format, "max_tokens": 120}
	}
	for _, format := range []obj{
		{"type": "json_schema", "json_schema": obj{"name": "x", "strict": true, "schema": schema}},
		{"type": "json_object", "value": schema},
		{"type": "json_object", "schema": schema},
	} {
		var a struct {
			Choices []struct {
				Message struct{ Content string }
				Finish  string `json:"finish_reason"`
			}
		}
		got := c.call(http.MethodPost, "/v1/chat/completions", chat(format))
		if got.into(t, &a); got.status != 200 || len(a.Choices) != 1 || a.Choices[0].Finish != "stop" {
			t.Fatalf("%v: status %d %s", format["type"], got.status, got.body)
		}
		fits(a.Choices[0].Message.Content)
	}
	var texts []struct {
		Text string `json:"generated_text"`
	}
	got := c.call(http.MethodPost, "/hf/models/chain", obj{"inputs": "Who:", "parameters": obj{"grammar": obj{"type": "json", "value": schema}, "max_new_tokens": 120, "return_full_text": false}})
	if got.into(t, &texts); got.status != 200 || len(texts) != 1 {
		t.Fatalf("status %d %s", got.status, got.body)
	}
	fits(texts[0].Text)
	for _, format := range []obj{
		{"type": "json_schema", "json_schema": obj{"name": "x", "schema": obj{"type": "object", "dependentRequired": obj{}}}},
		{"type": "json_schema", "json_schema": obj{"name": "x"}},
		{"type": "json_object", "grammar": "x"},
	} {
		if got := c.call(http.MethodPost, "/v1/chat/completions", chat(format)); got.status != 400 {
			t.Errorf("%v: status %d %s", format, got.status, got.body)
		}
	}
}
