package template

import (
	"fmt"
	"strconv"
	"strings"
)

// expr computes a value.
type expr func(r *run, s *scope) any

// parser reads the tokens of one tag.
type parser struct {
	list  []token
	at    int
	line  int
	depth int
	chain int // operators one behind another in this tag
}

// maxChain bounds the operators of one tag.
const maxChain = 2000

// link counts an operator.
func (p *parser) link() {
	if p.chain++; p.chain > maxChain {
		p.fail("more than %d operators in one tag", maxChain)
	}
}

// maxNesting bounds brackets and operators inside one another.
const maxNesting = 200

// parseError travels by panic from deep inside the parser to parse.
type parseError struct{ err error }

func (p *parser) fail(format string, args ...any) {
	panic(parseError{syntax(p.line, format, args...)})
}

func (p *parser) refuse(format string, args ...any) {
	panic(parseError{fmt.Errorf("%w: line %d: %s", ErrUnsupported, p.line, fmt.Sprintf(format, args...))})
}

func (p *parser) peek() token {
	if p.at < len(p.list) {
		return p.list[p.at]
	}
	return token{}
}

// is looks for an operator or a word.
func (p *parser) is(text string) bool {
	t := p.peek()
	return (t.kind == 'o' || t.kind == 'n') && t.text == text
}

func (p *parser) take(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(text string) {
	if !p.take(text) {
		p.fail("%q is missing before %q", text, p.peek().text)
	}
}

func (p *parser) name() string {
	t := p.peek()
	if t.kind != 'n' {
		p.fail("a name is missing before %q", t.text)
	}
	p.at++
	return t.text
}

func (p *parser) end() {
	if p.at < len(p.list) {
		p.fail("%q does not belong there", p.peek().text)
	}
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail("an expression is nested more than %d deep", maxNesting)
	}
}

// expression is the whole grammar: a if b else c.
func (p *parser) expression() expr {
	p.enter()
	defer func() { p.depth-- }()
	value := p.or()
	for p.take("if") {
		p.link()
		then, cond := value, p.or()
		otherwise := expr(func(*run, *scope) any { return undefined{"the other branch of an if"} })
		if p.take("else") {
			otherwise = p.expression()
		}
		value = func(r *run, s *scope) any {
			r.step()
			if truth(cond(r, s)) {
				return then(r, s)
			}
			return otherwise(r, s)
		}
	}
	return value
}

func (p *parser) or() expr {
	left := p.and()
	for p.take("or") {
		p.link()
		a, b := left, p.and()
		left = func(r *run, s *scope) any {
			if v := a(r, s); truth(v) {
				return v
			}
			return b(r, s)
		}
	}
	return left
}

func (p *parser) and() expr {
	left := p.not()
	for p.take("and") {
		p.link()
		a, b := left, p.not()
		left = func(r *run, s *scope) any {
			if v := a(r, s); !truth(v) {
				return v
			}
			return b(r, s)
		}
	}
	return left
}

func (p *parser) not() expr {
	if p.take("not") {
		p.enter()
		defer func() { p.depth-- }()
		x := p.not()
		return func(r *run, s *scope) any { return !truth(x(r, s)) }
	}
	return p.compare()
}

func (p *parser) compare() expr {
	first := p.sum()
	var ops []string
	var rest []expr
	for {
		op := p.peek().text
		switch {
		case p.peek().kind == 'o' && (op == "==" || op == "!=" || op == "<" || op == ">" || op == "<=" || op == ">="), p.is("in"):
			p.at++
		case p.is("not") && p.at+1 < len(p.list) && p.list[p.at+1] == token{'n', "in"}:
			p.at += 2
			op = "not in"
		default:
			if len(ops) == 0 {
				return first
			}
			return func(r *run, s *scope) any {
				left := first(r, s)
				for i, op := range ops {
					right := rest[i](r, s)
					if !r.compare(op, left, right) {
						return false
					}
					left = right
				}
				return true
			}
		}
		ops, rest = append(ops, op), append(rest, p.sum())
	}
}

func (p *parser) sum() expr {
	left := p.concat()
	for p.is("+") || p.is("-") {
		p.link()
		op := p.peek().text
		p.at++
		a, b := left, p.concat()
		left = func(r *run, s *scope) any { return r.arithmetic(op, a(r, s), b(r, s)) }
	}
	return left
}

func (p *parser) concat() expr {
	list := []expr{p.product()}
	for p.take("~") {
		list = append(list, p.product())
	}
	if len(list) == 1 {
		return list[0]
	}
	return func(r *run, s *scope) any {
		var b strings.Builder
		for _, x := range list {
			b.WriteString(show(r, x(r, s)))
		}
		return r.text(b.String())
	}
}

func (p *parser) product() expr {
	left := p.power()
	for p.is("*") || p.is("/") || p.is("//") || p.is("%") {
		p.link()
		op := p.peek().text
		p.at++
		a, b := left, p.power()
		left = func(r *run, s *scope) any { return r.arithmetic(op, a(r, s), b(r, s)) }
	}
	return left
}

func (p *parser) power() expr {
	left := p.unary(true)
	if p.is("**") {
		p.refuse("the operator **")
	}
	return left
}

func (p *parser) unary(filters bool) expr {
	p.enter()
	defer func() { p.depth-- }()
	var x expr
	switch {
	case p.take("-"):
		inner := p.unary(false)
		x = func(r *run, s *scope) any { return r.arithmetic("-", int64(0), inner(r, s)) }
	case p.take("+"):
		inner := p.unary(false)
		x = func(r *run, s *scope) any { return r.arithmetic("+", int64(0), inner(r, s)) }
	default:
		x = p.postfix(p.primary())
	}
	if filters {
		x = p.filters(x)
	}
	return x
}

func constant(v any) expr { return func(*run, *scope) any { return v } }

func (p *parser) primary() expr {
	t := p.peek()
	p.at++
	switch t.kind {
	case 's':
		text := t.text
		for p.peek().kind == 's' { // neighbours join
			text += p.peek().text
			p.at++
		}
		return constant(text)
	case 'i':
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			p.fail("the number %.30s is too large", t.text)
		}
		return constant(n)
	case 'f':
		f, _ := strconv.ParseFloat(t.text, 64)
		return constant(f)
	case 'n':
		switch t.text {
		case "true", "True":
			return constant(true)
		case "false", "False":
			return constant(false)
		case "none", "None":
			return constant(nil)
		}
		name := t.text
		return func(r *run, s *scope) any { return r.lookup(s, name) }
	case 'o':
		switch t.text {
		case "(":
			return p.tuple()
		case "[":
			items := p.items("]")
			return func(r *run, s *scope) any { return r.list(items, s, false) }
		case "{":
			return p.dict()
		}
	}
	p.at--
	p.fail("%q does not belong there", t.text)
	return nil
}

// items reads expressions up to a closing bracket.
func (p *parser) items(closing string) []expr {
	var out []expr
	for !p.take(closing) {
		if len(out) > 0 {
			p.want(",")
			if p.take(closing) {
				break
			}
		}
		out = append(out, p.expression())
	}
	return out
}

// tuple is an expression in brackets, or a tuple where there are commas.
func (p *parser) tuple() expr {
	if p.take(")") {
		return func(r *run, s *scope) any { return r.list(nil, s, true) }
	}
	first := p.expression()
	if p.take(")") {
		return first
	}
	p.want(",")
	items := append([]expr{first}, p.items(")")...)
	return func(r *run, s *scope) any { return r.list(items, s, true) }
}

func (p *parser) dict() expr {
	var keys, values []expr
	for !p.take("}") {
		if len(keys) > 0 {
			p.want(",")
			if p.take("}") {
				break
			}
		}
		keys = append(keys, p.expression())
		p.want(":")
		values = append(values, p.expression())
	}
	return func(r *run, s *scope) any {
		d := newDict()
		for i := range keys {
			k := keys[i](r, s)
			if !hashable(k) {
				r.fail("%s cannot be a key", typeName(k))
			}
			r.spend(32)
			d.set(k, values[i](r, s))
		}
		return d
	}
}

// postfix reads members, subscripts and calls.
func (p *parser) postfix(x expr) expr {
	for {
		p.link()
		base := x
		switch {
		case p.take("."):
			t := p.peek()
			if t.kind != 'n' && t.kind != 'i' {
				p.fail("a member is missing before %q", t.text)
			}
			p.at++
			name := t.text
			if t.kind == 'i' {
				i, _ := strconv.ParseInt(name, 10, 64)
				x = func(r *run, s *scope) any { return r.item(base(r, s), i) }
				continue
			}
			x = func(r *run, s *scope) any { return r.member(base(r, s), name) }
		case p.take("["):
			x = p.subscript(base)
		case p.take("("):
			call := p.arguments()
			x = func(r *run, s *scope) any {
				f := base(r, s)
				args, named := call(r, s)
				return r.call(f, args, named)
			}
		default:
			return x
		}
	}
}

func (p *parser) subscript(base expr) expr {
	var bounds [3]expr
	colons := 0
	for !p.is("]") {
		if p.take(":") {
			if colons++; colons > 2 {
				p.fail("a slice with more than two colons")
			}
			continue
		}
		if bounds[colons] != nil {
			p.fail("%q does not belong into a subscript", p.peek().text)
		}
		bounds[colons] = p.expression()
	}
	p.want("]")
	if colons == 0 {
		if bounds[0] == nil {
			p.fail("an empty subscript")
		}
		return func(r *run, s *scope) any { return r.item(base(r, s), bounds[0](r, s)) }
	}
	return func(r *run, s *scope) any {
		var values [3]any
		for i, b := range bounds {
			if b != nil {
				values[i] = b(r, s)
			}
		}
		return r.slice(base(r, s), values)
	}
}

// arguments reads (a, b, name=c) behind its opening bracket.
func (p *parser) arguments() func(r *run, s *scope) ([]any, map[string]any) {
	var args []expr
	var names []string
	var named []expr
	for first := true; !p.take(")"); first = false {
		if !first {
			p.want(",")
			if p.take(")") {
				break
			}
		}
		if p.is("*") || p.is("**") {
			p.refuse("a call with %s", p.peek().text)
		}
		if p.peek().kind == 'n' && p.at+1 < len(p.list) && p.list[p.at+1] == (token{'o', "="}) {
			names = append(names, p.name())
			p.want("=")
			named = append(named, p.expression())
			continue
		}
		if len(names) > 0 {
			p.fail("an argument without a name behind one with a name")
		}
		args = append(args, p.expression())
	}
	return func(r *run, s *scope) ([]any, map[string]any) {
		values := make([]any, len(args))
		for i, a := range args {
			values[i] = a(r, s)
		}
		byName := make(map[string]any, len(names))
		for i, n := range names {
			byName[n] = named[i](r, s)
		}
		return values, byName
	}
}

// filters reads x|filter and x is test.
func (p *parser) filters(x expr) expr {
	for {
		p.link()
		base := x
		switch {
		case p.take("|"):
			x = p.filter(base)
		case p.take("is"):
			x = p.test(base)
		case p.take("("):
			call := p.arguments()
			x = func(r *run, s *scope) any {
				f := base(r, s)
				args, named := call(r, s)
				return r.call(f, args, named)
			}
		default:
			return x
		}
	}
}

func (p *parser) filter(base expr) expr {
	name := p.name()
	f, ok := filters[name]
	if !ok {
		p.refuse("the filter %.40s", name)
	}
	call := func(*run, *scope) ([]any, map[string]any) { return nil, nil }
	if p.take("(") {
		call = p.arguments()
	}
	return func(r *run, s *scope) any {
		r.step()
		v := base(r, s)
		args, named := call(r, s)
		return f(r, plain(v), args, named)
	}
}

func (p *parser) test(base expr) expr {
	negate := p.take("not")
	name := p.name()
	f, ok := tests[name]
	if !ok {
		p.refuse("the test %.40s", name)
	}
	call := func(*run, *scope) ([]any, map[string]any) { return nil, nil }
	if p.take("(") {
		call = p.arguments()
	} else if t := p.peek(); t.kind == 's' || t.kind == 'i' || t.kind == 'f' || t.kind == 'o' && (t.text == "[" || t.text == "{") ||
		t.kind == 'n' && t.text != "else" && t.text != "or" && t.text != "and" && t.text != "is" && t.text != "if" && t.text != "in" && t.text != "not" {
		arg := p.postfix(p.primary())
		call = func(r *run, s *scope) ([]any, map[string]any) { return []any{arg(r, s)}, nil }
	}
	return func(r *run, s *scope) any {
		r.step()
		v := base(r, s)
		args, _ := call(r, s)
		return f(r, plain(v), args) != negate
	}
}
