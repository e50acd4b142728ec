package grammar

import (
	"encoding/json"
	"math/big"
	"net/mail"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// validator checks documents against schemas by JSON Schema's definitions, knowing nothing
// of networks.
type validator struct{ root any }

func decode(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v: %q", err, s)
	}
	if d.More() {
		t.Fatalf("more than one value: %q", s)
	}
	return v
}

func rat(v any) *big.Rat {
	r, _ := new(big.Rat).SetString(string(v.(json.Number)))
	return r
}

func typeOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if rat(v).IsInt() {
			return "integer"
		}
		return "number"
	}
	return "null"
}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func (c validator) ok(schema, v any) bool {
	if b, is := schema.(bool); is {
		return b
	}
	s := schema.(map[string]any)
	if ref, is := s["$ref"].(string); is {
		target := c.root
		for _, step := range strings.Split(strings.TrimPrefix(ref, "#"), "/")[1:] {
			target = target.(map[string]any)[step]
		}
		if !c.ok(target, v) {
			return false
		}
	}
	count := func(k string) int {
		n := 0
		for _, x := range list(s[k]) {
			if x != nil && c.ok(x, v) {
				n++
			}
		}
		return n
	}
	typ := typeOf(v)
	switch {
	case s["type"] != nil && !slices.ContainsFunc(list(s["type"]), func(t any) bool { return t == typ || t == "number" && typ == "integer" }),
		s["anyOf"] != nil && count("anyOf") == 0, s["oneOf"] != nil && count("oneOf") != 1, s["allOf"] != nil && count("allOf") != len(list(s["allOf"])),
		s["enum"] != nil && !slices.ContainsFunc(list(s["enum"]), func(x any) bool { return reflect.DeepEqual(x, v) }):
		return false
	}
	if k, has := s["const"]; has && !reflect.DeepEqual(k, v) {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		return c.object(s, v)
	case []any:
		return c.array(s, v)
	case string:
		return c.text(s, v)
	case json.Number:
		least, most, above, below := s["minimum"], s["maximum"], s["exclusiveMinimum"], s["exclusiveMaximum"]
		x := rat(v)
		return (least == nil || x.Cmp(rat(least)) >= 0) && (most == nil || x.Cmp(rat(most)) <= 0) && (above == nil || x.Cmp(rat(above)) > 0) && (below == nil || x.Cmp(rat(below)) < 0)
	}
	return true
}

func within(n int, low, high any) bool {
	x := big.NewRat(int64(n), 1)
	return (low == nil || x.Cmp(rat(low)) >= 0) && (high == nil || x.Cmp(rat(high)) <= 0)
}

func (c validator) object(s, v map[string]any) bool {
	if s["required"] != nil {
		for _, name := range list(s["required"]) {
			if _, has := v[name.(string)]; !has {
				return false
			}
		}
	}
	named, _ := s["properties"].(map[string]any)
	for k, x := range v {
		if sub, is := named[k]; is {
			if !c.ok(sub, x) {
				return false
			}
		} else if others, is := s["additionalProperties"]; is && !c.ok(others, x) {
			return false
		}
	}
	return within(len(v), s["minProperties"], s["maxProperties"])
}

func (c validator) array(s map[string]any, v []any) bool {
	first := 0
	if p, is := s["prefixItems"].([]any); is {
		for i := range min(len(p), len(v)) {
			if !c.ok(p[i], v[i]) {
				return false
			}
		}
		first = min(len(p), len(v))
	}
	if items, is := s["items"]; is {
		for _, x := range v[first:] {
			if !c.ok(items, x) {
				return false
			}
		}
	}
	return within(len(v), s["minItems"], s["maxItems"])
}

func (c validator) text(s map[string]any, v string) bool {
	if p, is := s["pattern"].(string); is && !regexp.MustCompile(p).MatchString(v) {
		return false
	}
	var err error
	switch s["format"] {
	case "date":
		_, err = time.Parse("2006-01-02", v)
	case "date-time":
		_, err = time.Parse(time.RFC3339Nano, v)
	case "email":
		_, err = mail.ParseAddress(v)
	}
	return err == nil && within(utf8.RuneCountInString(v), s["minLength"], s["maxLength"])
}
