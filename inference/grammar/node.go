package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a schema.
const (
	maxSchema = 256 << 10 // bytes
	maxDepth  = 64
)

// node is a JSON value whose members keep their order.
type node struct {
	kind   byte // of the JSON value: o, a, s, n, b or z
	keys   []string
	fields map[string]*node
	items  []*node
	text   string // of s; of n as it was written; of b true or false
}

// parse reads a schema.
func parse(raw []byte) (*node, error) {
	if len(raw) > maxSchema {
		return nil, unsupported("a schema of %d bytes; up to %d are possible", len(raw), maxSchema)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	n, err := read(d, 0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("something follows it")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("grammar: %w: the schema: %w", ErrSyntax, err)
	}
	return n, nil
}

func read(d *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	token, err := d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		return readInner(d, t, depth)
	case string:
		return &node{kind: 's', text: t}, nil
	case json.Number:
		return &node{kind: 'n', text: t.String()}, nil
	case bool:
		return &node{kind: 'b', text: strconv.FormatBool(t)}, nil
	}
	return &node{kind: 'z'}, nil
}

func readInner(d *json.Decoder, open json.Delim, depth int) (*node, error) {
	n := &node{kind: 'a'}
	if open == '{' {
		n.kind, n.fields = 'o', map[string]*node{}
	}
	for d.More() {
		key := ""
		if n.kind == 'o' {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			if key, _ = token.(string); n.fields[key] != nil {
				return nil, fmt.Errorf("%q is there twice", clip(key))
			}
		}
		v, err := read(d, depth+1)
		if err != nil {
			return nil, err
		}
		if n.kind == 'o' {
			n.set(key, v)
		} else {
			n.items = append(n.items, v)
		}
	}
	_, err := d.Token()
	return n, err
}

// set gives a member another value, or appends it.
func (n *node) set(key string, v *node) {
	if n.fields[key] == nil {
		n.keys = append(n.keys, key)
	}
	n.fields[key] = v
}

// only is a copy of an object with the members that ok.
func (n *node) only(ok func(key string) bool) *node {
	out := &node{kind: 'o', fields: map[string]*node{}}
	for _, k := range n.keys {
		if ok(k) {
			out.set(k, n.fields[k])
		}
	}
	return out
}

// without is a copy of an object that lacks some members.
func (n *node) without(keys ...string) *node {
	return n.only(func(k string) bool { return !slices.Contains(keys, k) })
}

// is says whether a node is the given truth value.
func (n *node) is(value string) bool { return n != nil && n.kind == 'b' && n.text == value }

// write is the value as JSON, in one way for equal strings and literals.
func (n *node) write(b *strings.Builder) {
	switch n.kind {
	case 'o':
		b.WriteByte('{')
		for i, k := range n.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quote(k))
			b.WriteByte(':')
			n.fields[k].write(b)
		}
		b.WriteByte('}')
	case 'a':
		b.WriteByte('[')
		for i, v := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.write(b)
		}
		b.WriteByte(']')
	case 's':
		b.WriteString(quote(n.text))
	case 'z':
		b.WriteString("null")
	default:
		b.WriteString(n.text)
	}
}

func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

// quote writes a text between quotes, as JSON and without escapes that it does not need.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // strings always have a form
	return strings.TrimSuffix(b.String(), "\n")
}

// clip shortens what a message repeats of a schema.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
