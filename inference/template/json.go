package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// maxJSONDepth bounds nested messages.
const maxJSONDepth = 64

// Decode reads a JSON value with its members in their order.
func Decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, fmt.Errorf("template: reading JSON: %w", err)
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("%w: JSON nested more than %d deep", ErrBounds, maxJSONDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i, nil
		}
		f, err := t.Float64()
		return f, err
	case json.Delim:
		if t == '[' {
			l := &List{}
			for d.More() {
				v, err := decode(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, v)
			}
			_, err := d.Token()
			return l, err
		}
		m := newDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			m.set(k, v)
		}
		_, err := d.Token()
		return m, err
	}
	return t, nil
}

// toJSON is json.dumps(v, ensure_ascii=False), with indent >= 0 over several lines.
func toJSON(r *run, b *strings.Builder, v any, indent, depth int) {
	r.step()
	if depth > maxJSONDepth || b.Len() > maxOutput {
		r.stop("a JSON text is too long")
	}
	item := func(i, n int, end string) {
		if i > 0 && i < n {
			b.WriteByte(',')
			if indent < 0 {
				b.WriteByte(' ')
			}
		}
		if indent >= 0 {
			level := depth + 1
			if i == n {
				level = depth
			}
			b.WriteString("\n" + strings.Repeat(" ", indent*level))
		}
		b.WriteString(end)
	}
	switch v := v.(type) {
	case *List:
		if v.lazy {
			r.fail("what a filter chose has no JSON form; make it a list first")
		}
		if len(v.items) == 0 {
			b.WriteString("[]")
			return
		}
		b.WriteByte('[')
		for i, x := range v.items {
			item(i, len(v.items), "")
			toJSON(r, b, x, indent, depth+1)
		}
		item(len(v.items), len(v.items), "]")
	case *Dict:
		if len(v.keys) == 0 {
			b.WriteString("{}")
			return
		}
		b.WriteByte('{')
		for i, k := range v.keys {
			item(i, len(v.keys), "")
			if s, ok := k.(string); ok {
				jsonQuote(b, s)
			} else {
				b.WriteByte('"')
				toJSON(r, b, k, -1, depth+1)
				b.WriteByte('"')
			}
			b.WriteString(": ")
			toJSON(r, b, v.vals[i], indent, depth+1)
		}
		item(len(v.keys), len(v.keys), "}")
	default:
		jsonScalar(r, b, v)
	}
}

func jsonScalar(r *run, b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(pythonFloat(v))
	case string:
		jsonQuote(b, v)
	case markup:
		jsonQuote(b, string(v))
	default:
		r.fail("%s has no JSON form", typeName(v))
	}
}

func jsonQuote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
