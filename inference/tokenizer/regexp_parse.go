package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The small matcher for word patterns that no scanner knows: the part of
// Oniguruma's syntax (Ruby flavour) that published tokenizers use. What it does
// not know it refuses by name.

// Bounds of a compiled pattern.
const (
	maxInstructions = 20_000
	maxRepeat       = 1_000
	maxGroupDepth   = 32
)

// regexParser turns a pattern into instructions.
type regexParser struct {
	src   []rune
	at    int
	depth int
	fold  bool
	prog  []instruction
}

func compileRegexp(src string) (pattern, error) {
	p := &regexParser{src: []rune(src)}
	n, err := p.alternatives()
	if err == nil && p.at < len(p.src) {
		err = p.refuse("an unmatched )")
	}
	if err != nil {
		return nil, err
	}
	p.emit(n)
	p.prog = append(p.prog, instruction{op: opMatch})
	if len(p.prog) > maxInstructions {
		return nil, p.refuse("more than %d instructions", maxInstructions)
	}
	return regex(p.prog), nil
}

func (p *regexParser) refuse(format string, args ...any) error {
	return fmt.Errorf("%w: the word pattern has %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

// node is a piece of the syntax tree.
type node struct {
	kind     nodeKind
	set      *charSet
	list     []*node
	low, top int // of a repeat; top -1 for no limit
	lazy     bool
	negative bool
}

type nodeKind int

const (
	nodeSet nodeKind = iota
	nodeSequence
	nodeChoice
	nodeRepeat
	nodeAtomic
	nodeLook
	nodeStart   // beginning of a line
	nodeEnd     // end of a line
	nodeTextEnd // \z
	nodeTextStart
)

// nullable says whether n can match nothing.
func (n *node) nullable() bool {
	some := func(x *node) bool { return x.nullable() }
	switch n.kind {
	case nodeSet:
		return false
	case nodeSequence:
		return !slices.ContainsFunc(n.list, func(x *node) bool { return !x.nullable() })
	case nodeChoice:
		return slices.ContainsFunc(n.list, some)
	case nodeRepeat:
		return n.low == 0 || n.list[0].nullable()
	case nodeAtomic:
		return n.list[0].nullable()
	}
	return true
}

func (p *regexParser) peek(s string) bool {
	return strings.HasPrefix(string(p.src[p.at:min(len(p.src), p.at+len(s))]), s)
}

func (p *regexParser) take(s string) bool {
	if p.peek(s) {
		p.at += len([]rune(s))
		return true
	}
	return false
}

func (p *regexParser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxGroupDepth {
		return nil, p.refuse("groups more than %d deep", maxGroupDepth)
	}
	defer func() { p.depth-- }()
	choice := &node{kind: nodeChoice}
	for {
		seq := &node{kind: nodeSequence}
		for p.at < len(p.src) && !p.peek("|") && !p.peek(")") {
			n, err := p.repeated()
			if err != nil {
				return nil, err
			}
			seq.list = append(seq.list, n)
		}
		choice.list = append(choice.list, seq)
		if !p.take("|") {
			return choice, nil
		}
	}
}

// repeated reads an atom and what repeats it.
func (p *regexParser) repeated() (*node, error) {
	n, err := p.atom()
	if err != nil {
		return nil, err
	}
	counted := false
	for count := 0; ; count++ {
		r := &node{kind: nodeRepeat, list: []*node{n}, top: -1}
		braces := false
		switch {
		case p.take("*"):
		case p.take("+"):
			r.low = 1
		case p.take("?"):
			r.top = 1
		case p.peek("{"):
			ok, err := p.braces(r)
			if err != nil || !ok {
				return n, err
			}
			braces = true
		default:
			return n, nil
		}
		if count > 0 && !(count == 1 && counted && r.low == 1 && r.top < 0) {
			return nil, p.refuse("a repeat of a repeat")
		}
		if n.kind == nodeStart || n.kind == nodeEnd || n.kind == nodeLook || n.nullable() {
			return nil, p.refuse("a repeat of something that can match nothing")
		}
		switch {
		case p.take("?"):
			r.lazy = true
		case !braces && p.take("+"): // possessive; behind braces a + repeats once more in this flavour
			r = &node{kind: nodeAtomic, list: []*node{r}}
		}
		n, counted = r, braces
	}
}

// braces reads {n}, {n,}, {,m} or {n,m}; anything else in braces is text.
func (p *regexParser) braces(r *node) (bool, error) {
	start := p.at
	p.at++
	low, hasLow := p.number()
	comma := p.take(",")
	top, hasTop := low, hasLow
	if comma {
		top, hasTop = p.number()
	}
	if !p.take("}") || !hasLow && !hasTop {
		p.at = start
		return false, p.refuse("a { that is not a repeat")
	}
	if low > maxRepeat || top > maxRepeat {
		return false, p.refuse("a repeat of more than %d", maxRepeat)
	}
	r.low, r.top = low, top
	if !hasTop {
		r.top = -1
	} else if top < low {
		return false, p.refuse("a repeat of at least %d and at most %d", low, top)
	}
	return true, nil
}

func (p *regexParser) number() (int, bool) {
	n, from := 0, p.at
	for p.at < len(p.src) && p.src[p.at] >= '0' && p.src[p.at] <= '9' {
		n = min(n*10+int(p.src[p.at]-'0'), maxRepeat+1)
		p.at++
	}
	return n, p.at > from
}

func (p *regexParser) atom() (*node, error) {
	c := p.src[p.at]
	switch c {
	case '(':
		return p.group()
	case '[':
		p.at++
		set, err := p.class()
		return &node{kind: nodeSet, set: set}, err
	case '.':
		p.at++
		return &node{kind: nodeSet, set: &charSet{negate: true, ranges: []rune{'\n', '\n'}}}, nil
	case '^':
		p.at++
		return &node{kind: nodeStart}, nil
	case '$':
		p.at++
		return &node{kind: nodeEnd}, nil
	case '*', '+', '?', '{':
		return nil, p.refuse("a repeat of nothing")
	case '\\':
		if p.take(`\z`) {
			return &node{kind: nodeTextEnd}, nil
		}
		if p.take(`\A`) {
			return &node{kind: nodeTextStart}, nil
		}
		set, r, err := p.escape()
		if err == nil && set == nil {
			set = &charSet{ranges: []rune{r, r}}
		}
		if set != nil {
			set.fold = p.fold
		}
		return &node{kind: nodeSet, set: set}, err
	}
	p.at++
	return &node{kind: nodeSet, set: &charSet{ranges: []rune{c, c}, fold: p.fold}}, nil
}

// group reads what stands in round brackets.
func (p *regexParser) group() (*node, error) {
	outer := p.fold
	wrap := func(n *node) *node { return n }
	switch {
	case p.take("(?:"):
	case p.take("(?i:"):
		p.fold = true
	case p.take("(?-i:"):
		p.fold = false
	case p.take("(?="):
		wrap = func(n *node) *node { return &node{kind: nodeLook, list: []*node{n}} }
	case p.take("(?!"):
		wrap = func(n *node) *node { return &node{kind: nodeLook, list: []*node{n}, negative: true} }
	case p.take("(?>"):
		wrap = func(n *node) *node { return &node{kind: nodeAtomic, list: []*node{n}} }
	case p.peek("(?"):
		return nil, p.refuse("the group %.4q", string(p.src[p.at:min(len(p.src), p.at+4)]))
	default:
		p.at++
	}
	n, err := p.alternatives()
	p.fold = outer
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.refuse("a ( without )")
	}
	return wrap(n), nil
}

// class reads [...] behind its opening bracket; nested classes join.
func (p *regexParser) class() (*charSet, error) {
	if p.depth++; p.depth > maxGroupDepth {
		return nil, p.refuse("classes more than %d deep", maxGroupDepth)
	}
	defer func() { p.depth-- }()
	set := &charSet{fold: p.fold, negate: p.take("^")}
	for first := true; ; first = false {
		if p.at >= len(p.src) {
			return nil, p.refuse("a [ without ]")
		}
		if p.take("]") {
			if first {
				return nil, p.refuse("an empty class")
			}
			return set, nil
		}
		if p.peek("&&") || p.peek("[:") {
			return nil, p.refuse("%q in a class", string(p.src[p.at:p.at+2]))
		}
		if p.take("[") {
			inner, err := p.class()
			if err != nil {
				return nil, err
			}
			set.sets = append(set.sets, inner)
			continue
		}
		inner, low, err := p.classItem()
		if err != nil {
			return nil, err
		}
		if inner != nil {
			set.sets = append(set.sets, inner)
			continue
		}
		high := low
		if p.peek("-") && !p.peek("-]") {
			p.at++
			if inner, high, err = p.classItem(); err != nil {
				return nil, err
			}
			if inner != nil || high < low {
				return nil, p.refuse("a range that does not go from a character to a later one")
			}
		}
		set.ranges = append(set.ranges, low, high)
	}
}

func (p *regexParser) classItem() (*charSet, rune, error) {
	if p.at >= len(p.src) {
		return nil, 0, p.refuse("a [ without ]")
	}
	if p.src[p.at] == '\\' {
		return p.escape()
	}
	p.at++
	return nil, p.src[p.at-1], nil
}

// escape reads \x: a set, or a character.
func (p *regexParser) escape() (*charSet, rune, error) {
	if p.at+1 >= len(p.src) {
		return nil, 0, p.refuse(`a \ at its end`)
	}
	c := p.src[p.at+1]
	p.at += 2
	named := func(f func(rune) bool) (*charSet, rune, error) {
		return &charSet{is: f, negate: unicode.IsUpper(c)}, 0, nil
	}
	switch c {
	case 's', 'S':
		return named(unicode.IsSpace)
	case 'd', 'D':
		return named(isDecimal)
	case 'w', 'W':
		return named(isWordOnig)
	case 'p', 'P':
		return p.property(c == 'P')
	case 'n':
		return nil, '\n', nil
	case 'r':
		return nil, '\r', nil
	case 't':
		return nil, '\t', nil
	case 'f':
		return nil, '\f', nil
	case 'v':
		return nil, '\v', nil
	case 'u', 'x':
		return p.hex(c)
	}
	if c < 0x80 && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		return nil, 0, p.refuse(`the escape \%c`, c)
	}
	return nil, c, nil
}

// hex reads \uHHHH, \xHH or \x{H...}.
func (p *regexParser) hex(kind rune) (*charSet, rune, error) {
	digits, closed := 4, false
	if kind == 'x' {
		if digits = 2; p.take("{") {
			digits, closed = 6, true
		}
	}
	r, n := rune(0), 0
	for ; n < digits && p.at < len(p.src); n++ {
		d := strings.IndexRune("0123456789abcdef", unicode.ToLower(p.src[p.at]))
		if d < 0 {
			break
		}
		r = r*16 + rune(d)
		p.at++
	}
	if n == 0 || !closed && n < digits || closed && !p.take("}") || r > unicode.MaxRune {
		return nil, 0, p.refuse(`a broken \%c escape`, kind)
	}
	return nil, r, nil
}

// property reads the name of \p{...}: a general category or a script.
func (p *regexParser) property(negate bool) (*charSet, rune, error) {
	end := slices.Index(p.src[p.at:], '}')
	if !p.take("{") || end < 0 {
		return nil, 0, p.refuse(`a \p without {name}`)
	}
	name := string(p.src[p.at : p.at+end-1])
	p.at += end
	if cut, ok := strings.CutPrefix(name, "^"); ok {
		name, negate = cut, !negate
	}
	switch name {
	case "L":
		return &charSet{is: isLetter, negate: negate}, 0, nil
	case "N":
		return &charSet{is: isNumber, negate: negate}, 0, nil
	}
	table, ok := unicode.Categories[name]
	if !ok {
		table, ok = unicode.Scripts[name]
	}
	if !ok || name == "C" || name == "Cn" {
		return nil, 0, p.refuse(`the property \p{%.20s}`, name)
	}
	later, more := laterCategories[name]
	return &charSet{is: func(r rune) bool { return unicode.Is(table, r) || more && unicode.Is(later, r) }, negate: negate}, 0, nil
}
