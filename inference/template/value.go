package template

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Values are nil (None), bool, int64, float64, string, markup, *List, *Dict, undefined, *object, *loopState and function.

// List is a Python list, or a tuple.
type List struct {
	items []any
	tuple bool
	lazy  bool // what map and select give: neither counted nor written as JSON before it is made a list
}

// Dict is a Python dict: it keeps the order in which keys were put in.
type Dict struct {
	keys []any
	vals []any
	at   map[any]int
}

func newDict() *Dict { return &Dict{at: map[any]int{}} }

func (d *Dict) set(k, v any) {
	if i, ok := d.at[k]; ok {
		d.vals[i] = v
		return
	}
	d.at[k] = len(d.keys)
	d.keys, d.vals = append(d.keys, k), append(d.vals, v)
}

func (d *Dict) get(k any) (any, bool) {
	if !hashable(k) {
		return nil, false
	}
	i, ok := d.at[k]
	if !ok {
		return nil, false
	}
	return d.vals[i], true
}

func hashable(k any) bool {
	switch k.(type) {
	case nil, bool, int64, float64, string:
		return true
	}
	return false
}

// object is a namespace: its fields are what templates may write to.
type object struct{ fields map[string]any }

// undefined is a name or a member that is not there.
type undefined struct{ name string }

// markup is a text that the filter safe made: a text that + joins with it is escaped for HTML, as in Jinja.
type markup string

// plain takes the mark away.
func plain(v any) any {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return v
}

// escaped is what joins a markup.
func escaped(r *run, v any) string {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return htmlEscapes.Replace(show(r, v))
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// function is something that can be called.
type function func(r *run, args []any, named map[string]any) any

// truth is Python's bool().
func truth(v any) bool {
	switch v := plain(v).(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *List:
		return len(v.items) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// number widens numbers and booleans.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// equal is Python's ==.
func equal(a, b any, depth int) bool {
	if depth > maxJSONDepth {
		return false
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		s, ok := b.(string)
		return ok && a == s
	case undefined:
		_, ok := b.(undefined)
		return ok
	case *List:
		l, ok := b.(*List)
		return ok && a.tuple == l.tuple && slices.EqualFunc(a.items, l.items, func(x, y any) bool { return equal(x, y, depth+1) })
	case *Dict:
		d, ok := b.(*Dict)
		if !ok || len(a.keys) != len(d.keys) {
			return false
		}
		for i, k := range a.keys {
			if v, ok := d.get(k); !ok || !equal(a.vals[i], v, depth+1) {
				return false
			}
		}
		return true
	case *object:
		o, ok := b.(*object)
		return ok && a == o
	}
	return false
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "a text"
	case *List:
		return "a list"
	case *Dict:
		return "a mapping"
	case undefined:
		return fmt.Sprintf("%.60q, which is not defined", v.name)
	}
	return "an object"
}

// show is Python's str().
func show(r *run, v any) string {
	switch v := v.(type) {
	case undefined:
		return ""
	case string:
		return v
	case markup:
		return string(v)
	}
	var b strings.Builder
	repr(r, &b, v, 0)
	return r.text(b.String())
}

// repr is Python's repr().
func repr(r *run, b *strings.Builder, v any, depth int) {
	r.step()
	if depth > maxJSONDepth || b.Len() > maxOutput {
		r.stop("a text of a value is too long")
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(pythonFloat(v))
	case string:
		b.WriteString(pythonQuote(v))
	case markup:
		b.WriteString("Markup(" + pythonQuote(string(v)) + ")")
	case *List:
		open, end := "[", "]"
		if v.tuple {
			open, end = "(", ")"
			if len(v.items) == 1 {
				end = ",)"
			}
		}
		b.WriteString(open)
		for i, x := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			repr(r, b, x, depth+1)
		}
		b.WriteString(end)
	case *Dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			repr(r, b, k, depth+1)
			b.WriteString(": ")
			repr(r, b, v.vals[i], depth+1)
		}
		b.WriteByte('}')
	default:
		r.fail("%s has no text", typeName(v))
	}
}

func pythonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func pythonQuote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := []byte{q}
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < 0x20 || r == 0x7F || r > 0x7F && r <= 0xFF && !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\x%02x`, r)
		case r <= 0xFFFF && !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, q))
}
