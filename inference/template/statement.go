package template

// stmt does something; the signal says whether a loop goes on.
type stmt func(r *run, s *scope) signal

type signal int

const (
	goOn signal = iota
	breakLoop
	nextTurn
)

func (r *run) body(list []stmt, s *scope) signal {
	for _, x := range list {
		r.step()
		if sig := x(r, s); sig != goOn {
			return sig
		}
	}
	return goOn
}

// reader turns parts into statements.
type reader struct {
	parts []part
	at    int
	depth int
	loops int
}

func parse(source string) (body []stmt, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(parseError)
			if !ok {
				panic(p)
			}
			err = e.err
		}
	}()
	parts, err := cut(source)
	if err != nil {
		return nil, err
	}
	rd := &reader{parts: parts}
	body, word, p := rd.block()
	if word != "" {
		p.fail("%q without its beginning", word)
	}
	return body, nil
}

// tag opens a part's tokens.
func (rd *reader) tag(x part) *parser {
	list, err := tokens(x.text, x.line)
	if err != nil {
		panic(parseError{err})
	}
	return &parser{list: list, line: x.line}
}

// block reads up to a tag that belongs to an outer statement (else, endif, ...) and gives its word.
func (rd *reader) block(ends ...string) (body []stmt, word string, p *parser) {
	if rd.depth++; rd.depth > maxDepth {
		rd.tag(rd.parts[rd.at-1]).fail("statements lie more than %d deep", maxDepth)
	}
	defer func() { rd.depth-- }()
	for rd.at < len(rd.parts) {
		x := rd.parts[rd.at]
		rd.at++
		switch x.kind {
		case 't':
			text := x.text
			body = append(body, func(r *run, _ *scope) signal { r.write(text); return goOn })
			continue
		case '{':
			p := rd.tag(x)
			value := p.maybeTuple()
			p.end()
			body = append(body, func(r *run, s *scope) signal { r.write(show(r, value(r, s))); return goOn })
			continue
		}
		p := rd.tag(x)
		word := p.name()
		for _, e := range ends {
			if word == e {
				return body, word, p
			}
		}
		if one := rd.statement(p, word); one != nil {
			body = append(body, one)
		}
	}
	if len(ends) > 0 {
		line := 1
		if len(rd.parts) > 0 {
			line = rd.parts[len(rd.parts)-1].line
		}
		panic(parseError{syntax(line, "%q is missing", ends[len(ends)-1])})
	}
	return body, "", nil
}

// maybeTuple is an expression, or several with commas between them.
func (p *parser) maybeTuple() expr {
	first := p.expression()
	if !p.is(",") {
		return first
	}
	items := []expr{first}
	for p.take(",") && p.at < len(p.list) {
		items = append(items, p.expression())
	}
	return func(r *run, s *scope) any { return r.list(items, s, true) }
}

func (rd *reader) statement(p *parser, word string) stmt {
	switch word {
	case "if":
		return rd.ifs(p)
	case "for":
		return rd.loop(p)
	case "set":
		return rd.set(p)
	case "macro":
		return rd.macro(p)
	case "filter":
		return rd.filtered(p)
	case "generation": // marks what the model writes, for training
		p.end()
		body, _, p := rd.block("endgeneration")
		p.end()
		return func(r *run, s *scope) signal { return r.body(body, s) }
	case "break", "continue":
		p.end()
		if rd.loops == 0 {
			p.fail("%q outside a loop", word)
		}
		sig := map[string]signal{"break": breakLoop, "continue": nextTurn}[word]
		return func(*run, *scope) signal { return sig }
	case "else", "elif", "endif", "endfor", "endset", "endmacro", "endgeneration", "endfilter":
		p.fail("%q without its beginning", word)
	}
	p.refuse("the statement %.40s", word)
	return nil
}

func (rd *reader) ifs(p *parser) stmt {
	type branch struct {
		cond expr
		body []stmt
	}
	var branches []branch
	for {
		cond := p.maybeTuple()
		p.end()
		body, word, next := rd.block("elif", "else", "endif")
		branches = append(branches, branch{cond, body})
		p = next
		if word == "elif" {
			continue
		}
		if word == "else" {
			p.end()
			body, _, p = rd.block("endif")
			branches = append(branches, branch{constant(true), body})
		}
		p.end()
		break
	}
	return func(r *run, s *scope) signal {
		for _, b := range branches {
			if truth(b.cond(r, s)) {
				return r.body(b.body, s)
			}
		}
		return goOn
	}
}

// target is what a value is given to: a name, names, or a member of a namespace.
type target func(r *run, s *scope, v any)

func (p *parser) target() target {
	var one func() target
	one = func() target {
		if p.take("(") {
			t := p.names(one, ")")
			p.want(")")
			return t
		}
		name := p.name()
		if p.take(".") {
			field := p.name()
			return func(r *run, s *scope, v any) {
				o, ok := r.lookup(s, name).(*object)
				if !ok {
					r.fail("%.60q is not a namespace", name)
				}
				o.fields[field] = v
			}
		}
		return func(_ *run, s *scope, v any) { s.vars[name] = v }
	}
	return p.names(one, "")
}

// names reads one target or several with commas between them.
func (p *parser) names(one func() target, closing string) target {
	p.enter()
	defer func() { p.depth-- }()
	list := []target{one()}
	several := false
	for p.take(",") {
		several = true
		if p.at >= len(p.list) || closing != "" && p.is(closing) {
			break
		}
		list = append(list, one())
	}
	if !several {
		return list[0]
	}
	return func(r *run, s *scope, v any) {
		items := r.iterate(v)
		if len(items) != len(list) {
			r.fail("%d values for %d names", len(items), len(list))
		}
		for i, t := range list {
			t(r, s, items[i])
		}
	}
}

func (rd *reader) loop(p *parser) stmt {
	to := p.target()
	p.want("in")
	source := p.or() // an if behind it chooses items
	for p.is(",") {
		p.refuse("a loop over a tuple without brackets")
	}
	var only expr
	if p.take("if") {
		only = p.expression()
	}
	if p.is("recursive") {
		p.refuse("a recursive loop")
	}
	p.end()
	rd.loops++
	body, word, p := rd.block("else", "endfor")
	rd.loops--
	var otherwise []stmt
	if word == "else" {
		p.end()
		otherwise, _, p = rd.block("endfor")
	}
	p.end()
	return func(r *run, s *scope) signal {
		items := r.iterate(source(r, s))
		if only != nil {
			var kept []any
			for _, x := range items {
				r.step()
				inner := &scope{vars: map[string]any{}, outer: s}
				to(r, inner, x)
				if truth(only(r, inner)) {
					r.spend(16)
					kept = append(kept, x)
				}
			}
			items = kept
		}
		r.enter()
		defer func() { r.depth-- }()
		for i, x := range items {
			r.step()
			inner := &scope{vars: map[string]any{"loop": &loopState{items, i}}, outer: s}
			to(r, inner, x)
			if r.body(body, inner) == breakLoop {
				break
			}
		}
		if len(items) == 0 {
			return r.body(otherwise, s)
		}
		return goOn
	}
}

// loopState is the variable loop of turn i.
type loopState struct {
	items []any
	i     int
}

func (l *loopState) field(name string) (any, bool) {
	n, i := len(l.items), l.i
	around := func(j int) (any, bool) {
		if j < 0 || j >= n {
			return undefined{"the neighbour of an outermost item"}, true
		}
		return l.items[j], true
	}
	switch name {
	case "index":
		return int64(i + 1), true
	case "index0":
		return int64(i), true
	case "revindex":
		return int64(n - i), true
	case "revindex0":
		return int64(n - i - 1), true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "length":
		return int64(n), true
	case "previtem":
		return around(i - 1)
	case "nextitem":
		return around(i + 1)
	case "cycle":
		return function(func(r *run, args []any, _ map[string]any) any {
			if len(args) == 0 {
				r.fail("loop.cycle() without values")
			}
			return args[i%len(args)]
		}), true
	}
	return nil, false
}

func (rd *reader) set(p *parser) stmt {
	to := p.target()
	if p.take("=") {
		value := p.maybeTuple()
		p.end()
		return func(r *run, s *scope) signal { to(r, s, value(r, s)); return goOn }
	}
	value := caughtText
	if p.take("|") {
		value = p.filters(p.filter(caughtText))
	}
	made := rd.captured(p, value, "endset")
	return func(r *run, s *scope) signal { to(r, s, made(r, s)); return goOn }
}

// filtered writes its body through filters.
func (rd *reader) filtered(p *parser) stmt {
	made := rd.captured(p, p.filters(p.filter(caughtText)), "endfilter")
	return func(r *run, s *scope) signal { r.write(show(r, made(r, s))); return goOn }
}

// caughtText is what a body has written, for the filters behind it.
var caughtText = expr(func(_ *run, s *scope) any { return s.vars["caught"] })

// captured reads a body and gives what value makes of its text.
func (rd *reader) captured(p *parser, value expr, end string) expr {
	p.end()
	loops := rd.loops
	rd.loops = 0
	body, _, p := rd.block(end)
	rd.loops = loops
	p.end()
	return func(r *run, s *scope) any {
		text := r.caught(body, &scope{vars: map[string]any{}, outer: s})
		return value(r, &scope{vars: map[string]any{"caught": text}, outer: s})
	}
}

// caught is what a body writes.
func (r *run) caught(body []stmt, s *scope) string {
	outer := r.out
	r.out = nil
	r.body(body, s)
	text := string(r.out)
	r.out = outer
	return r.text(text)
}

func (rd *reader) macro(p *parser) stmt {
	name := p.name()
	var names []string
	var defaults []expr
	p.want("(")
	for !p.take(")") {
		if len(names) > 0 {
			p.want(",")
		}
		names = append(names, p.name())
		var value expr
		if p.take("=") {
			value = p.expression()
		}
		defaults = append(defaults, value)
	}
	p.end()
	loops := rd.loops
	rd.loops = 0
	body, _, p := rd.block("endmacro")
	rd.loops = loops
	p.end()
	call := function(func(r *run, args []any, named map[string]any) any {
		s := &scope{vars: map[string]any{}, outer: r.root}
		if len(args) > len(names) {
			r.fail("the macro %.40s takes %d arguments, not %d", name, len(names), len(args))
		}
		for i, n := range names {
			v, given := named[n]
			switch {
			case i < len(args):
				s.vars[n] = args[i]
			case given:
				s.vars[n] = v
			case defaults[i] != nil:
				s.vars[n] = defaults[i](r, s)
			default:
				s.vars[n] = undefined{n}
			}
		}
		for n := range named {
			if _, ok := s.vars[n]; !ok {
				r.fail("the macro %.40s has no argument %.40q", name, n)
			}
		}
		return r.caught(body, s)
	})
	return func(_ *run, s *scope) signal { s.vars[name] = call; return goOn }
}
