package web

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The part of JSON Schema 2020-12 that our own document uses, checked on every
// body that comes in: the document is generated from the Go types, and what it
// says is what the server takes. A word from a closed list is the exception:
// the use case refuses it, with the list in its sentence (see applyTag).

// fault is one disagreement of a value with its schema.
type fault struct{ at, why string }

func (f *fault) Error() string {
	if f.at == "" {
		return "the body " + f.why
	}
	return "the field " + f.at + " " + f.why
}

// check returns the first disagreement of v, as encoding/json decodes it with
// numbers kept, with the schema s; nil for none.
func (b *schemas) check(s obj, v any, at string) *fault {
	if ref, ok := s["$ref"].(string); ok {
		def, _ := b.defs[strings.TrimPrefix(ref, "#/components/schemas/")].(obj)
		return b.check(def, v, at)
	}
	if list, ok := s["anyOf"].([]obj); ok {
		if f := b.anyOf(list, v, at); f != nil {
			return f
		}
	}
	if !typed(s["type"], v) {
		return &fault{at, "must be " + typeNames(s["type"])}
	}
	switch x := v.(type) {
	case string:
		return checkString(s, x, at)
	case json.Number:
		return checkNumber(s, x, at)
	case []any:
		return b.checkArray(s, x, at)
	case map[string]any:
		return b.checkObject(s, x, at)
	}
	return nil
}

// anyOf reports the disagreement with the first alternative where none fits:
// in our document the second is null, or another set of required fields.
func (b *schemas) anyOf(list []obj, v any, at string) *fault {
	var first *fault
	for _, alt := range list {
		f := b.check(alt, v, at)
		if f == nil {
			return nil
		}
		if first == nil {
			first = f
		}
	}
	return first
}

func typed(want any, v any) bool {
	switch w := want.(type) {
	case string:
		return isType(w, v)
	case []string:
		return slices.ContainsFunc(w, func(t string) bool { return isType(t, v) })
	}
	return true
}

func isType(t string, v any) bool {
	switch x := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case json.Number:
		return t == "number" || t == "integer" && wholeNumber(x)
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	}
	return false
}

// wholeNumber: 5.0 is an integer to JSON Schema.
func wholeNumber(n json.Number) bool {
	if !strings.ContainsAny(string(n), ".eE") {
		return true
	}
	f, err := n.Float64()
	return err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// wholeNumbers writes integers without fraction and exponent, as Go's decoder
// wants them, and reports whether it changed anything.
func wholeNumbers(v any) (any, bool) {
	changed := false
	switch x := v.(type) {
	case json.Number:
		if f, err := x.Float64(); err == nil && strings.ContainsAny(string(x), ".eE") && wholeNumber(x) {
			return json.Number(strconv.FormatFloat(f, 'f', 0, 64)), true
		}
	case []any:
		for i := range x {
			var c bool
			x[i], c = wholeNumbers(x[i])
			changed = changed || c
		}
	case map[string]any:
		for k := range x {
			var c bool
			x[k], c = wholeNumbers(x[k])
			changed = changed || c
		}
	}
	return v, changed
}

func typeNames(t any) string {
	switch w := t.(type) {
	case string:
		return article(w)
	case []string:
		names := make([]string, len(w))
		for i, n := range w {
			names[i] = article(n)
		}
		return strings.Join(names, " or ")
	}
	return "something else"
}

func article(t string) string {
	switch t {
	case "null":
		return "null"
	case "array", "object", "integer":
		return "an " + t
	}
	return "a " + t
}

func checkString(s obj, x, at string) *fault {
	n := float64(utf8.RuneCountInString(x))
	if low, ok := s["minLength"].(float64); ok && n < low {
		if n == 0 {
			return &fault{at, "is empty"}
		}
		return &fault{at, fmt.Sprintf("is shorter than %.0f characters", low)}
	}
	if high, ok := s["maxLength"].(float64); ok && n > high {
		return &fault{at, fmt.Sprintf("is longer than %.0f characters", high)}
	}
	if p, ok := s["pattern"].(string); ok && !compiled(p).MatchString(x) {
		if why, ok := s["x-pattern-says"].(string); ok {
			return &fault{at, why}
		}
		return &fault{at, "is not of the form " + p}
	}
	if list, ok := s["enum"].([]string); ok && s["x-closed-list"] == nil && !slices.Contains(list, x) {
		return &fault{at, "must be one of " + strings.Join(list, ", ")}
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339, x); err != nil {
			return &fault{at, "is not a time like 2026-11-24T09:30:00Z"}
		}
	}
	return nil
}

func checkNumber(s obj, x json.Number, at string) *fault {
	n, err := strconv.ParseFloat(string(x), 64)
	if err != nil {
		return &fault{at, "is not a number that can be used"}
	}
	if s["type"] == "integer" {
		whole, _ := wholeNumbers(x)
		if i, ok := new(big.Int).SetString(string(whole.(json.Number)), 10); !ok || !i.IsInt64() {
			return &fault{at, "is not a whole number that can be used"}
		}
	}
	if low, ok := s["minimum"].(float64); ok && n < low {
		return &fault{at, fmt.Sprintf("is less than %.0f", low)}
	}
	if high, ok := s["maximum"].(float64); ok && n > high {
		return &fault{at, fmt.Sprintf("is greater than %.0f", high)}
	}
	return nil
}

func (b *schemas) checkArray(s obj, x []any, at string) *fault {
	if low, ok := s["minItems"].(float64); ok && float64(len(x)) < low {
		return &fault{at, fmt.Sprintf("holds fewer than %.0f items", low)}
	}
	if high, ok := s["maxItems"].(float64); ok && float64(len(x)) > high {
		return &fault{at, fmt.Sprintf("holds more than %.0f items", high)}
	}
	items, _ := s["items"].(obj)
	for i, e := range x {
		if f := b.check(items, e, fmt.Sprintf("%s[%d]", at, i)); f != nil {
			return f
		}
	}
	return nil
}

func (b *schemas) checkObject(s obj, x map[string]any, at string) *fault {
	dot := at
	if dot != "" {
		dot += "."
	}
	if required, ok := s["required"].([]string); ok {
		for _, name := range required {
			if _, ok := x[name]; !ok {
				return &fault{dot + name, "is missing"}
			}
		}
	}
	props, _ := s["properties"].(obj)
	keys := make([]string, 0, len(x))
	for k := range x {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		sub, known := props[k].(obj)
		if !known {
			switch more := s["additionalProperties"].(type) {
			case bool:
				if !more {
					return &fault{at, "has a field that is not known"}
				}
			case obj:
				sub = more
			}
		}
		if f := b.check(sub, x[k], dot+k); f != nil {
			return f
		}
	}
	return nil
}

var patterns sync.Map // pattern → *regexp.Regexp; patterns come from the code, never from requests

func compiled(p string) *regexp.Regexp {
	if re, ok := patterns.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(p)
	patterns.Store(p, re)
	return re
}

// loneSurrogate reports whether JSON text escapes half of a surrogate pair,
// which no UTF-8 text can hold: a decoder would change it silently.
func loneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // at the escaped character
		hi, ok := escaped(raw[i:])
		if !ok || hi < 0xD800 || hi > 0xDFFF {
			continue
		}
		if hi >= 0xDC00 || i+6 > len(raw) || raw[i+5] != '\\' {
			return true
		}
		lo, ok := escaped(raw[i+6:])
		if !ok || lo < 0xDC00 || lo > 0xDFFF {
			return true
		}
		i += 10
	}
	return false
}

// escaped reads the four hex digits of a \u escape, whose u stands first in b.
func escaped(b []byte) (uint64, bool) {
	if len(b) < 5 || b[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[1:5]), 16, 16)
	return n, err == nil
}
