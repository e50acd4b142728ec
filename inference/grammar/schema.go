package grammar

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The keywords of JSON Schema (2020-12 and the older names) that are enforced, and those
// that describe and ask for nothing. Every other one is refused.
var (
	enforced = []string{"type", "properties", "required", "additionalProperties", "minProperties", "maxProperties", "items", "prefixItems", "minItems", "maxItems",
		"uniqueItems", "enum", "const", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"anyOf", "oneOf", "allOf", "$ref"}
	describing = []string{"title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly", "$defs", "definitions"}
)

var kinds = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// JSON is the grammar of the documents that a JSON schema allows; see the package's
// description for what is written of them. Errors wrap [ErrSyntax] or [ErrUnsupported].
func JSON(schema json.RawMessage) (*Grammar, error) {
	root, err := parse(schema)
	if err != nil {
		return nil, err
	}
	c := &compiler{b: newBuilder(), root: root, rules: map[*node]int32{}, merged: map[[2]*node]*node{}}
	r := c.b.rules[0]
	lead := c.b.state()
	c.b.space(r.start, lead)
	c.b.call(lead, r.end, c.rule(root))
	for len(c.todo) > 0 && c.b.err == nil {
		n := c.todo[0]
		c.todo = c.todo[1:]
		r := c.b.rules[c.rules[n]]
		if err := c.value(n, r.start, r.end); err != nil {
			return nil, err
		}
	}
	net, err := c.b.finish()
	if err != nil {
		return nil, err
	}
	return &Grammar{net}, nil
}

// Object is the grammar of all JSON objects.
func Object() (*Grammar, error) { return JSON(json.RawMessage(`{"type":"object"}`)) }

// compiler turns schemas into rules, one each.
type compiler struct {
	b      *builder
	root   *node
	rules  map[*node]int32
	todo   []*node
	merged map[[2]*node]*node
}

// rule is the rule of a schema, which is compiled later where it is new.
func (c *compiler) rule(n *node) int32 {
	id, ok := c.rules[n]
	if !ok {
		id = c.b.rule()
		c.rules[n] = id
		c.todo = append(c.todo, n)
	}
	return id
}

// anything allows every value.
var anything = &node{kind: 'o', fields: map[string]*node{}}

// value reads what a schema allows.
func (c *compiler) value(n *node, from, to int32) error {
	n, err := c.resolve(n)
	if err != nil {
		return err
	}
	if n.is("false") {
		return nil
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if list := n.fields[keyword]; list != nil {
			return c.either(n.without(keyword), keyword, list, from, to)
		}
	}
	types, err := typesOf(n)
	if err != nil {
		return err
	}
	if n.fields["enum"] != nil || n.fields["const"] != nil {
		return c.values(n, types, from, to)
	}
	for _, t := range types {
		if err := c.typed(n, t, from, to); err != nil {
			return err
		}
	}
	return c.b.err
}

// check refuses a schema with a keyword that is not known, or known and out of place.
func check(n *node) error {
	if n.kind == 'b' {
		return nil
	}
	if n.kind != 'o' {
		return unsupported("a schema that is neither an object nor a truth value")
	}
	for _, k := range n.keys {
		if !slices.Contains(enforced, k) && !slices.Contains(describing, k) {
			return unsupported("the keyword %q", clip(k))
		}
	}
	return nil
}

// resolve follows references and joins what allOf lists, so that neither is left.
func (c *compiler) resolve(n *node) (*node, error) {
	for range maxDepth {
		if err := check(n); err != nil {
			return nil, err
		}
		if n.kind == 'b' {
			if n.text == "true" {
				return anything, nil
			}
			return n, nil
		}
		ref, all := n.fields["$ref"], n.fields["allOf"]
		if ref == nil && all == nil {
			return n, nil
		}
		base := n.without("$ref", "allOf")
		if base.plain() {
			base = anything
		}
		var parts []*node
		if ref != nil {
			target, err := c.target(ref)
			if err != nil {
				return nil, err
			}
			parts = append(parts, target)
		}
		if all != nil {
			if all.kind != 'a' || len(all.items) == 0 {
				return nil, unsupported("allOf that is not a list")
			}
			parts = append(parts, all.items...)
		}
		if base == anything && len(parts) == 1 {
			n = parts[0]
			continue
		}
		for _, p := range parts {
			var err error
			if base, err = c.join(base, p); err != nil {
				return nil, err
			}
		}
		n = base
	}
	return nil, unsupported("references that lead on more than %d times, or in a circle", maxDepth)
}

// plain says that an object asks for nothing.
func (n *node) plain() bool {
	return !slices.ContainsFunc(n.keys, func(k string) bool { return slices.Contains(enforced, k) })
}

// target finds what a reference within the schema names (RFC 6901).
func (c *compiler) target(ref *node) (*node, error) {
	path, ok := strings.CutPrefix(ref.text, "#")
	if ref.kind != 's' || !ok || path != "" && path[0] != '/' {
		return nil, unsupported("the reference %q; use one within the schema, such as #/$defs/name", clip(ref.text))
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return nil, unsupported("the reference %q", clip(ref.text))
	}
	n := c.root
	for _, step := range strings.Split(path, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		var next *node
		if i, err := strconv.Atoi(step); err == nil && n.kind == 'a' && i >= 0 && i < len(n.items) {
			next = n.items[i]
		} else if n.kind == 'o' {
			next = n.fields[step]
		}
		if next == nil {
			return nil, unsupported("the reference %q, which names nothing", clip(ref.text))
		}
		n = next
	}
	return n, nil
}

// either reads what one of several schemas allows, and base too.
func (c *compiler) either(base *node, keyword string, list *node, from, to int32) error {
	if list.kind != 'a' || len(list.items) == 0 {
		return unsupported("%s that is not a list", keyword)
	}
	if keyword == "oneOf" {
		if err := c.apart(list.items); err != nil {
			return err
		}
	}
	for _, alternative := range list.items {
		if !base.plain() {
			var err error
			if alternative, err = c.join(base, alternative); err != nil {
				return err
			}
		}
		c.b.call(from, to, c.rule(alternative))
	}
	return c.b.err
}

// typesOf lists the types that a schema allows: those it names or, where it names none,
// those that its keywords are of.
func typesOf(n *node) ([]string, error) {
	var out []string
	switch t := n.fields["type"]; {
	case t == nil:
		return impliedTypes(n), nil
	case t.kind == 's':
		out = []string{t.text}
	case t.kind == 'a':
		for _, one := range t.items {
			if one.kind != 's' {
				return nil, unsupported("a type that is not a name")
			}
			out = append(out, one.text)
		}
	default:
		return nil, unsupported("a type that is not a name")
	}
	for _, t := range out {
		if !slices.Contains(kinds, t) {
			return nil, unsupported("the type %q", clip(t))
		}
	}
	if slices.Contains(out, "number") {
		out = slices.DeleteFunc(out, func(t string) bool { return t == "integer" })
	}
	return out, nil
}

func impliedTypes(n *node) []string {
	var out []string
	for t, keywords := range map[string][]string{
		"object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}, "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
		"string": {"minLength", "maxLength", "pattern", "format"}, "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	} {
		if slices.ContainsFunc(keywords, func(k string) bool { return n.fields[k] != nil }) {
			out = append(out, t)
		}
	}
	if len(out) == 0 || n.fields["enum"] != nil || n.fields["const"] != nil {
		return []string{"object", "array", "string", "number", "boolean", "null"}
	}
	slices.Sort(out)
	return out
}

// typed reads the values of one type.
func (c *compiler) typed(n *node, t string, from, to int32) error {
	switch t {
	case "object":
		return c.object(n, from, to)
	case "array":
		return c.array(n, from, to)
	case "string":
		return c.text(n, from, to)
	case "number", "integer":
		return c.number(n, t == "integer", from, to)
	case "boolean":
		c.b.literal(from, to, "true")
		c.b.literal(from, to, "false")
	default:
		c.b.literal(from, to, "null")
	}
	return nil
}

// values reads one of the values that enum or const list.
func (c *compiler) values(n *node, types []string, from, to int32) error {
	if n.fields["enum"] != nil && n.fields["const"] != nil {
		return unsupported("enum and const together")
	}
	list := []*node{n.fields["const"]}
	if e := n.fields["enum"]; e != nil {
		if e.kind != 'a' || len(e.items) == 0 {
			return unsupported("enum that is not a list")
		}
		list = e.items
	}
	for _, k := range n.keys {
		if k != "type" && k != "enum" && k != "const" && slices.Contains(enforced, k) {
			return unsupported("%s beside enum or const", k)
		}
	}
	seen := map[string]bool{}
	for _, v := range list {
		s := v.String()
		if slices.ContainsFunc(types, v.typed) && !seen[s] {
			seen[s] = true
			c.b.literal(from, to, s)
		}
	}
	return c.b.err
}

// typed says whether a value is of a type.
func (n *node) typed(t string) bool {
	switch t {
	case "object":
		return n.kind == 'o'
	case "array":
		return n.kind == 'a'
	case "string":
		return n.kind == 's'
	case "number":
		return n.kind == 'n'
	case "integer":
		v, err := parseLimit("a number", n.text)
		return n.kind == 'n' && err == nil && v.IsInt()
	case "boolean":
		return n.kind == 'b'
	}
	return n.kind == 'z'
}
