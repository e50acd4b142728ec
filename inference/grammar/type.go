package grammar

import (
	"math/big"
	"slices"
	"strconv"
)

// count reads a keyword that counts; otherwise where it is absent.
func count(n *node, keyword string, otherwise int) (int, error) {
	v := n.fields[keyword]
	if v == nil {
		return otherwise, nil
	}
	i, err := strconv.Atoi(v.text)
	if v.kind != 'n' || err != nil || i < 0 {
		return 0, unsupported("%s that is not a whole number from 0 on", keyword)
	}
	return i, nil
}

// text reads strings.
func (c *compiler) text(n *node, from, to int32) error {
	low, err := count(n, "minLength", 0)
	if err != nil {
		return err
	}
	high, err := count(n, "maxLength", unbounded)
	if err != nil {
		return err
	}
	pattern, frame := "", anywhere
	switch p, f := n.fields["pattern"], n.fields["format"]; {
	case p != nil && f != nil:
		return unsupported("pattern and format together")
	case p != nil && p.kind != 's', f != nil && f.kind != 's':
		return unsupported("a pattern or format that is not a text")
	case p != nil:
		pattern = p.text
	case f != nil:
		if pattern = formats[f.text]; pattern == "" {
			return unsupported("the format %q; those possible are %s", clip(f.text), formatNames())
		}
		frame = `^(?:%s)$`
	}
	prog, err := parsePattern(pattern, frame)
	if err != nil {
		return err
	}
	open, shut := c.b.state(), c.b.state()
	c.b.edge(from, open, '"', '"')
	c.b.edge(shut, to, '"', '"')
	return c.b.text(open, shut, prog, low, high, true)
}

// number reads numbers.
func (c *compiler) number(n *node, whole bool, from, to int32) error {
	var low, high *limit
	for _, k := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"} {
		v := n.fields[k]
		if v == nil {
			continue
		}
		if v.kind != 'n' {
			return unsupported("%s that is not a number", k)
		}
		r, err := parseLimit(k, v.text)
		if err != nil {
			return err
		}
		at := &limit{v: r, open: k == "exclusiveMinimum" || k == "exclusiveMaximum"}
		switch k {
		case "minimum", "exclusiveMinimum":
			if low == nil || r.Cmp(low.v) > 0 || r.Cmp(low.v) == 0 && at.open {
				low = at
			}
		case "maximum", "exclusiveMaximum":
			if high == nil || r.Cmp(high.v) < 0 || r.Cmp(high.v) == 0 && at.open {
				high = at
			}
		default:
			if r.Cmp(big.NewRat(1, 1)) != 0 {
				return unsupported("multipleOf %s; only 1 is possible", clip(v.text))
			}
			whole = true
		}
	}
	return c.b.number(from, to, low, high, whole)
}

// array reads arrays.
func (c *compiler) array(n *node, from, to int32) error {
	low, err := count(n, "minItems", 0)
	if err != nil {
		return err
	}
	high, err := count(n, "maxItems", unbounded)
	if err != nil {
		return err
	}
	var first []*node
	if p := n.fields["prefixItems"]; p != nil {
		if p.kind != 'a' {
			return unsupported("prefixItems that is not a list")
		}
		first = p.items
	}
	rest := n.fields["items"]
	if rest == nil {
		rest = anything
	}
	if rest.kind == 'a' {
		return unsupported("items as a list; use prefixItems")
	}
	if rest.is("false") && (high == unbounded || high > len(first)) {
		high = len(first)
	}
	if u := n.fields["uniqueItems"]; u != nil && !u.is("false") && (high == unbounded || high > 1) {
		return unsupported("uniqueItems")
	}
	b := c.b
	at := b.state() // behind i items
	b.edge(from, at, '[', '[')
	gap := b.state()
	b.space(at, gap)
	at = gap
	for i := 0; b.err == nil; i++ {
		shut := at
		if i > 0 {
			shut = b.state()
			b.space(at, shut)
		}
		if i >= low && (high == unbounded || i <= high) {
			b.edge(shut, to, ']', ']')
		}
		if i == high {
			break
		}
		item := at
		if i > 0 {
			comma := b.state()
			item = b.state()
			b.edge(at, comma, ',', ',')
			b.space(comma, item)
		}
		schema := rest
		if i < len(first) {
			schema = first[i]
		}
		if high == unbounded && i >= max(len(first), low, 1) {
			b.call(item, at, c.rule(schema))
			break
		}
		next := b.state()
		b.call(item, next, c.rule(schema))
		at = next
	}
	return b.err
}

// property is a member that an object may or must have.
type property struct {
	name     string
	schema   *node
	required bool
}

// properties lists what an object has by name, in the order of the schema, and what others
// are; nil for none.
func properties(n *node) (list []property, others *node, err error) {
	required := map[string]bool{}
	if r := n.fields["required"]; r != nil {
		if r.kind != 'a' {
			return nil, nil, unsupported("required that is not a list")
		}
		for _, name := range r.items {
			if name.kind != 's' {
				return nil, nil, unsupported("required with something other than names")
			}
			required[name.text] = true
		}
	}
	others = n.fields["additionalProperties"]
	given := n.fields["properties"]
	if given != nil {
		if given.kind != 'o' {
			return nil, nil, unsupported("properties that are not an object")
		}
		for _, k := range given.keys {
			list = append(list, property{k, given.fields[k], required[k]})
			delete(required, k)
		}
	}
	if others == nil && given == nil || others.is("true") {
		others = anything
	}
	if r := n.fields["required"]; r != nil { // in its own order
		for _, name := range r.items {
			if required[name.text] {
				delete(required, name.text)
				schema := others
				if schema == nil { // nothing is said of it
					schema = anything
				}
				list = append(list, property{name.text, schema, true})
			}
		}
	}
	if others.is("false") {
		others = nil
	}
	return list, others, nil
}

// object reads objects.
func (c *compiler) object(n *node, from, to int32) error {
	list, others, err := properties(n)
	if err != nil {
		return err
	}
	must := 0
	for _, p := range list {
		if p.required {
			must++
		}
	}
	if low, err := count(n, "minProperties", 0); err != nil || low > must {
		return orUnsupported(err, "minProperties above the number of required ones")
	}
	if high, err := count(n, "maxProperties", len(list)); err != nil || high < len(list) || n.fields["maxProperties"] != nil && others != nil {
		return orUnsupported(err, "maxProperties that does not follow from properties")
	}
	b := c.b
	none, some := b.state(), b.state() // before a property, where none or some came before it
	open := b.state()
	b.edge(from, open, '{', '{')
	b.space(open, none)
	for _, p := range list {
		key, value, nextNone, nextSome := b.state(), b.state(), b.state(), b.state()
		b.jump(none, key)
		c.comma(some, key)
		colon := b.state()
		b.literal(key, colon, quote(p.name))
		b.edge(colon, value, ':', ':')
		c.after(value, nextSome, c.rule(p.schema))
		if !p.required {
			b.jump(none, nextNone)
			b.jump(some, nextSome)
		}
		none, some = nextNone, nextSome
	}
	if others != nil {
		key, colon, value := b.state(), b.state(), b.state()
		b.jump(none, key)
		c.comma(some, key)
		c.otherName(key, colon, list)
		b.edge(colon, value, ':', ':')
		c.after(value, some, c.rule(others))
	}
	shut := b.state()
	b.jump(none, shut)
	b.space(some, shut)
	b.edge(shut, to, '}', '}')
	return b.err
}

// comma reads what stands between two members.
func (c *compiler) comma(from, to int32) {
	mid := c.b.state()
	c.b.edge(from, mid, ',', ',')
	c.b.space(mid, to)
}

// after reads a member's value behind its colon.
func (c *compiler) after(from, to, rule int32) {
	mid := c.b.state()
	c.b.space(from, mid)
	c.b.call(mid, to, rule)
}

// otherName reads a name that none of the listed members has.
func (c *compiler) otherName(from, to int32, list []property) {
	b := c.b
	free, top := b.state(), b.state()
	b.edge(from, top, '"', '"')
	b.edge(free, to, '"', '"')
	b.call(free, free, b.character(anyRune, true))
	taken := map[int32]bool{}
	next := map[int32]map[rune]int32{top: {}}
	for _, p := range list {
		at := top
		for _, r := range p.name {
			to, ok := next[at][r]
			if !ok {
				to = b.state()
				next[at][r], next[to] = to, map[rune]int32{}
			}
			at = to
		}
		taken[at] = true
	}
	for at, children := range next {
		var known runes
		for r, child := range children {
			b.call(at, child, b.character(runes{r, r}, true))
			known = append(known, r)
		}
		slices.Sort(known)
		pairs := make(runes, 0, 2*len(known))
		for _, r := range known {
			pairs = append(pairs, r, r)
		}
		b.call(at, free, b.character(anyRune.without(pairs), true))
		if !taken[at] {
			b.edge(at, to, '"', '"')
		}
	}
}

func orUnsupported(err error, what string) error {
	if err != nil {
		return err
	}
	return unsupported("%s", what)
}
