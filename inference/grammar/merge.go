package grammar

import (
	"slices"
)

// join is a schema that allows what both a and b do. Pairs that were joined before give
// the same schema again, so that references in a circle end.
func (c *compiler) join(a, b *node) (*node, error) {
	key := [2]*node{a, b}
	if n := c.merged[key]; n != nil {
		return n, nil
	}
	if len(c.merged) > maxRules {
		return nil, unsupported("so many schemas that hold at once")
	}
	out := &node{kind: 'o', fields: map[string]*node{}}
	c.merged[key] = out
	x, err := c.resolve(a)
	if err != nil {
		return nil, err
	}
	y, err := c.resolve(b)
	if err != nil {
		return nil, err
	}
	if x.is("false") || y.is("false") {
		*out = node{kind: 'b', text: "false"}
		return out, nil
	}
	if err := closed(x, y); err != nil {
		return nil, err
	}
	for _, k := range x.keys {
		out.set(k, x.fields[k])
	}
	for _, k := range y.keys {
		was := out.fields[k]
		if was == nil || slices.Contains(describing, k) {
			out.set(k, y.fields[k])
			continue
		}
		v, err := c.joinKeyword(k, was, y.fields[k])
		if err != nil {
			return nil, err
		}
		out.set(k, v)
	}
	return out, nil
}

// closed refuses to join schemas of which one speaks of the properties that the other
// lists by what it does not list itself.
func closed(x, y *node) error {
	for _, pair := range [][2]*node{{x, y}, {y, x}} {
		others, mine, theirs := pair[0].fields["additionalProperties"], pair[0].fields["properties"], pair[1].fields["properties"]
		if theirs != nil && (pair[0].fields["additionalProperties"] != nil && !others.is("true")) {
			for _, k := range theirs.keys {
				if mine == nil || mine.fields[k] == nil {
					return unsupported("additionalProperties in one of several schemas that hold at once, of which another lists %q", clip(k))
				}
			}
		}
	}
	for _, pair := range [][2]*node{{x, y}, {y, x}} {
		if pair[0].fields["prefixItems"] != nil && pair[1].fields["items"] != nil && pair[1].fields["prefixItems"] == nil {
			return unsupported("prefixItems and items in schemas that hold at once")
		}
	}
	return nil
}

// joinKeyword is a keyword's value where two schemas have it.
func (c *compiler) joinKeyword(k string, a, b *node) (*node, error) {
	if a.String() == b.String() {
		return a, nil
	}
	switch k {
	case "type":
		return joinTypes(a, b)
	case "required":
		if a.kind == 'a' && b.kind == 'a' {
			return &node{kind: 'a', items: append(slices.Clone(a.items), b.items...)}, nil
		}
	case "properties":
		if a.kind == 'o' && b.kind == 'o' {
			out := &node{kind: 'o', fields: map[string]*node{}}
			for _, list := range []*node{a, b} {
				for _, name := range list.keys {
					v := list.fields[name]
					if was := out.fields[name]; was != nil {
						v = &node{kind: 'o', keys: []string{"allOf"}, fields: map[string]*node{"allOf": {kind: 'a', items: []*node{was, v}}}}
					}
					out.set(name, v)
				}
			}
			return out, nil
		}
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		return larger(k, a, b)
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		v, err := larger(k, a, b)
		if err == nil && v == a {
			return b, nil
		}
		return a, err
	case "enum":
		if a.kind == 'a' && b.kind == 'a' {
			in := map[string]bool{}
			for _, v := range b.items {
				in[v.String()] = true
			}
			out := &node{kind: 'a', items: slices.DeleteFunc(slices.Clone(a.items), func(v *node) bool { return !in[v.String()] })}
			if len(out.items) > 0 {
				return out, nil
			}
		}
	}
	return nil, unsupported("two different %s that hold at once", k)
}

// larger is the larger of two numbers.
func larger(k string, a, b *node) (*node, error) {
	if a.kind != 'n' || b.kind != 'n' {
		return nil, unsupported("%s that is not a number", k)
	}
	x, err := parseLimit(k, a.text)
	if err != nil {
		return nil, err
	}
	y, err := parseLimit(k, b.text)
	if err != nil {
		return nil, err
	}
	if x.Cmp(y) >= 0 {
		return a, nil
	}
	return b, nil
}

// joinTypes lists the types that two lists share; whole numbers are numbers.
func joinTypes(a, b *node) (*node, error) {
	names := func(n *node) ([]string, error) {
		return typesOf(&node{kind: 'o', fields: map[string]*node{"type": n}})
	}
	x, err := names(a)
	if err != nil {
		return nil, err
	}
	y, err := names(b)
	if err != nil {
		return nil, err
	}
	out := &node{kind: 'a'}
	for _, t := range kinds {
		in := func(list []string) bool {
			return slices.Contains(list, t) || t == "integer" && slices.Contains(list, "number")
		}
		if in(x) && in(y) {
			out.items = append(out.items, &node{kind: 's', text: t})
		}
	}
	return out, nil
}

// apart refuses alternatives of oneOf that one value could fit two of.
func (c *compiler) apart(list []*node) error {
	resolved := make([]*node, len(list))
	for i, n := range list {
		var err error
		if resolved[i], err = c.resolve(n); err != nil {
			return err
		}
	}
	for i, a := range resolved {
		for k, b := range resolved[:i] {
			if !c.disjoint(a, b, 0) {
				return unsupported("oneOf whose alternatives %d and %d are not seen to exclude each other; give them different types, or a required property with different const, or use anyOf", k+1, i+1)
			}
		}
	}
	return nil
}

// disjoint says that no value fits both of two schemas; false where that is not seen.
func (c *compiler) disjoint(a, b *node, depth int) bool {
	a, err := c.resolve(a)
	if err != nil || depth > 4 {
		return false
	}
	if b, err = c.resolve(b); err != nil {
		return false
	}
	if a.is("false") || b.is("false") {
		return true
	}
	x, y := a.values(), b.values()
	if x != nil && y != nil {
		for _, v := range x {
			for _, w := range y {
				if v.kind == 'n' && w.kind == 'n' || v.kind == 'o' && w.kind == 'o' || v.kind == 'a' && w.kind == 'a' || v.String() == w.String() {
					return false
				}
			}
		}
		return true
	}
	types, other := a.possible(), b.possible()
	if !slices.ContainsFunc(types, func(t string) bool { return slices.Contains(other, t) }) {
		return true
	}
	if len(types) != 1 || len(other) != 1 || types[0] != "object" {
		return false
	}
	p, _, err1 := properties(a)
	q, _, err2 := properties(b)
	if err1 != nil || err2 != nil {
		return false
	}
	for _, one := range p {
		for _, two := range q {
			if one.name == two.name && one.required && two.required && one.schema != nil && two.schema != nil && c.disjoint(one.schema, two.schema, depth+1) {
				return true
			}
		}
	}
	return false
}

// values are those that enum or const list; nil where neither is there.
func (n *node) values() []*node {
	if v := n.fields["const"]; v != nil {
		return []*node{v}
	}
	if e := n.fields["enum"]; e != nil && e.kind == 'a' {
		return e.items
	}
	return nil
}

// possible lists the types that a schema's values can have, number for integer too: all
// where they are not named, since keywords of one type say nothing of the others.
func (n *node) possible() []string {
	all := []string{"object", "array", "string", "number", "boolean", "null"}
	types := all
	if n.fields["type"] != nil {
		var err error
		if types, err = typesOf(n); err != nil {
			return all
		}
	}
	if list := n.values(); list != nil {
		types = slices.DeleteFunc(slices.Clone(all), func(t string) bool {
			return !slices.ContainsFunc(list, func(v *node) bool { return v.typed(t) })
		})
	}
	out := slices.Clone(types)
	for i, t := range out {
		if t == "integer" {
			out[i] = "number"
		}
	}
	return out
}
