package template

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// filterFunc is x|name(args, named).
type filterFunc func(r *run, v any, args []any, named map[string]any) any

// filters by name.
var filters = map[string]filterFunc{}

// argument is the i-th argument, or the one of that name.
func argument(args []any, named map[string]any, i int, name string) (any, bool) {
	if i < len(args) {
		return args[i], true
	}
	v, ok := named[name]
	return v, ok
}

// texts makes a filter of a function on str(x).
func texts(f func(string) string) filterFunc {
	return func(r *run, v any, _ []any, _ map[string]any) any { return r.text(f(show(r, v))) }
}

func init() {
	for name, f := range map[string]filterFunc{
		"upper": texts(strings.ToUpper), "lower": texts(strings.ToLower), "title": texts(title), "capitalize": texts(capitalize), "string": texts(func(s string) string { return s }),
		"trim":   func(r *run, v any, args []any, _ map[string]any) any { return strip(r, show(r, v), args, true, true) },
		"length": filterLength, "count": filterLength,
		"safe":    func(r *run, v any, _ []any, _ map[string]any) any { return markup(show(r, v)) },
		"tojson":  filterJSON,
		"default": filterDefault, "d": filterDefault,
		"join":     filterJoin,
		"first":    func(r *run, v any, _ []any, _ map[string]any) any { return r.end(v, false) },
		"last":     func(r *run, v any, _ []any, _ map[string]any) any { return r.end(v, true) },
		"list":     func(r *run, v any, _ []any, _ map[string]any) any { return r.copied(v) },
		"reverse":  filterReverse,
		"items":    func(r *run, v any, _ []any, _ map[string]any) any { return r.pairs(v) },
		"dictsort": filterDictSort,
		"sort":     filterSort,
		"unique":   filterUnique,
		"map":      filterMap,
		"select":   chooser(false, true), "reject": chooser(false, false), "selectattr": chooser(true, true), "rejectattr": chooser(true, false),
		"replace": filterReplace,
		"int":     filterInt,
		"float":   func(r *run, v any, args []any, _ map[string]any) any { f, _ := floatOf(v); return f },
		"abs":     filterAbs,
		"round":   filterRound,
		"sum":     filterSum,
		"min":     func(r *run, v any, _ []any, _ map[string]any) any { return r.extreme(v, -1) },
		"max":     func(r *run, v any, _ []any, _ map[string]any) any { return r.extreme(v, 1) },
		"indent":  filterIndent,
	} {
		filters[name] = f
	}
}

func filterLength(r *run, v any, _ []any, _ map[string]any) any {
	switch v := v.(type) {
	case string:
		return int64(len([]rune(v)))
	case *List:
		if v.lazy {
			r.fail("what a filter chose has no length; make it a list first")
		}
		return int64(len(v.items))
	case *Dict:
		return int64(len(v.keys))
	case undefined:
		return int64(0)
	}
	r.fail("%s has no length", typeName(v))
	return nil
}

func filterJSON(r *run, v any, args []any, named map[string]any) any {
	indent := -1
	for name := range named {
		if name != "indent" && name != "ensure_ascii" && name != "sort_keys" && name != "separators" {
			r.fail("tojson has no argument %.40q", name)
		}
	}
	if named["separators"] != nil || truth(named["sort_keys"]) {
		r.fail("tojson with separators or sort_keys")
	}
	if n, ok := argument(args, named, 1, "indent"); ok && n != nil {
		i, ok := n.(int64)
		if !ok || i < 0 || i > 16 {
			r.fail("tojson with an indent that is not 0 to 16")
		}
		indent = int(i)
	}
	var b strings.Builder
	toJSON(r, &b, v, indent, 0)
	if truth(named["ensure_ascii"]) {
		return r.text(asciiOnly(b.String()))
	}
	return r.text(b.String())
}

// asciiOnly escapes what is not ASCII in a JSON text, characters beyond the
// first plane as surrogate pairs.
func asciiOnly(s string) string {
	var b []byte
	for _, c := range s {
		switch {
		case c <= 0x7F:
			b = append(b, byte(c))
		case c > 0xFFFF:
			high, low := utf16.EncodeRune(c)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return string(b)
}

func filterDefault(_ *run, v any, args []any, named map[string]any) any {
	_, missing := v.(undefined)
	if also, ok := argument(args, named, 1, "boolean"); ok && truth(also) {
		missing = !truth(v)
	}
	if !missing {
		return v
	}
	other, ok := argument(args, named, 0, "default_value")
	if !ok {
		return ""
	}
	return other
}

func filterJoin(r *run, v any, args []any, named map[string]any) any {
	between := ""
	if d, ok := argument(args, named, 0, "d"); ok {
		between = show(r, d)
	}
	attribute, byName := argument(args, named, 1, "attribute")
	var parts []string
	for _, x := range r.iterate(v) {
		r.step()
		if byName {
			x = r.item(x, attribute)
		}
		s := show(r, x)
		r.spend(len(s) + len(between))
		parts = append(parts, s)
	}
	return strings.Join(parts, between)
}

// end is the first or the last item.
func (r *run) end(v any, last bool) any {
	items := r.iterate(v)
	switch {
	case len(items) == 0:
		return undefined{"an item of nothing"}
	case last:
		return items[len(items)-1]
	}
	return items[0]
}

func (r *run) copied(v any) *List {
	items := r.iterate(v)
	r.spend(16 * len(items))
	return &List{items: slices.Clone(items)}
}

func filterReverse(r *run, v any, _ []any, _ map[string]any) any {
	if s, ok := v.(string); ok {
		chars := []rune(s)
		slices.Reverse(chars)
		return r.text(string(chars))
	}
	l := r.copied(v)
	slices.Reverse(l.items)
	return l
}

// pairs are the members of a mapping as (key, value).
func (r *run) pairs(v any) any {
	d, ok := v.(*Dict)
	if !ok {
		if _, missing := v.(undefined); missing {
			return &List{}
		}
		r.fail("%s has no members", typeName(v))
	}
	r.spend(64 * len(d.keys))
	out := &List{}
	for i, k := range d.keys {
		out.items = append(out.items, &List{items: []any{k, d.vals[i]}, tuple: true})
	}
	return out
}

func filterDictSort(r *run, v any, _ []any, _ map[string]any) any {
	out := r.pairs(v).(*List)
	key := func(x any) any {
		k := x.(*List).items[0]
		if s, ok := k.(string); ok {
			return strings.ToLower(s)
		}
		return k
	}
	slices.SortStableFunc(out.items, func(a, b any) int { r.step(); return r.order(key(a), key(b)) })
	return out
}

func filterSort(r *run, v any, args []any, named map[string]any) any {
	out := r.copied(v)
	reverse, _ := argument(args, named, 0, "reverse")
	attribute, byName := argument(args, named, 2, "attribute")
	key := func(x any) any {
		if byName {
			x = r.item(x, attribute)
		}
		if s, ok := x.(string); ok && !truth(named["case_sensitive"]) {
			return strings.ToLower(s)
		}
		return x
	}
	slices.SortStableFunc(out.items, func(a, b any) int {
		r.step()
		if truth(reverse) {
			a, b = b, a
		}
		return r.order(key(a), key(b))
	})
	return out
}

func filterUnique(r *run, v any, _ []any, _ map[string]any) any {
	out := &List{}
	for _, x := range r.iterate(v) {
		if !slices.ContainsFunc(out.items, func(y any) bool { r.step(); return equal(x, y, 0) }) {
			r.spend(16)
			out.items = append(out.items, x)
		}
	}
	return out
}

func filterMap(r *run, v any, args []any, named map[string]any) any {
	out := &List{lazy: true}
	if !truth(v) {
		return out
	}
	attribute, byName := named["attribute"]
	var f filterFunc
	if !byName {
		name := argText(r, args, 0)
		var ok bool
		if f, ok = filters[name]; !ok {
			r.fail("map with the filter %.40q", name)
		}
	}
	for _, x := range r.iterate(v) {
		r.step()
		r.spend(16)
		if byName {
			got := r.item(x, attribute)
			if _, missing := got.(undefined); missing {
				if d, ok := named["default"]; ok {
					got = d
				}
			}
			out.items = append(out.items, got)
			continue
		}
		out.items = append(out.items, f(r, x, args[1:], nil))
	}
	return out
}

// chooser makes select, reject, selectattr and rejectattr.
func chooser(byAttribute, keep bool) filterFunc {
	return func(r *run, v any, args []any, _ map[string]any) any {
		var attribute any
		if byAttribute {
			if len(args) == 0 {
				r.fail("an attribute is missing")
			}
			attribute, args = args[0], args[1:]
		}
		check := func(x any, _ []any) bool { return truth(x) }
		if len(args) > 0 {
			name := argText(r, args, 0)
			t, ok := tests[name]
			if !ok {
				r.fail("a choice by the test %.40q", name)
			}
			check = func(x any, args []any) bool { return t(r, x, args) }
			args = args[1:]
		}
		out := &List{lazy: true}
		if !truth(v) {
			return out
		}
		for _, x := range r.iterate(v) {
			r.step()
			value := x
			if byAttribute {
				value = r.item(x, attribute)
			}
			if check(value, args) == keep {
				r.spend(16)
				out.items = append(out.items, x)
			}
		}
		return out
	}
}

func filterReplace(r *run, v any, args []any, _ map[string]any) any {
	return replaced(r, show(r, v), args)
}

// replaced is s.replace(old, new, count).
func replaced(r *run, s string, args []any) string {
	from, to, n := argText(r, args, 0), argText(r, args, 1), -1
	if len(args) > 2 {
		if i, ok := args[2].(int64); ok && i >= 0 {
			n = int(min(i, 1<<30))
		}
	}
	if count := strings.Count(s, from); len(to) > 0 && count > maxOutput/len(to) {
		r.stop("a text is too long")
	}
	return r.text(strings.Replace(s, from, to, n))
}

func filterInt(r *run, v any, args []any, named map[string]any) any {
	otherwise, ok := argument(args, named, 0, "default")
	if !ok {
		otherwise = int64(0)
	}
	switch x := v.(type) {
	case int64:
		return x
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64); err == nil {
			return i
		}
	}
	f, ok := floatOf(v)
	if !ok || math.Abs(f) > 1<<62 {
		return otherwise
	}
	return int64(f)
}

func floatOf(v any) (float64, bool) {
	if s, ok := v.(string); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return f, err == nil
	}
	return number(v)
}

func filterAbs(r *run, v any, _ []any, _ map[string]any) any {
	if f, ok := number(v); ok && f >= 0 {
		return v
	}
	return r.arithmetic("-", int64(0), v)
}

func filterRound(r *run, v any, args []any, _ map[string]any) any {
	f, ok := number(v)
	if !ok || len(args) > 0 {
		r.fail("round takes a number and nothing else")
	}
	return math.RoundToEven(f)
}

func filterSum(r *run, v any, _ []any, _ map[string]any) any {
	var sum any = int64(0)
	for _, x := range r.iterate(v) {
		sum = r.arithmetic("+", sum, x)
	}
	return sum
}

func (r *run) extreme(v any, sign int) any {
	items := r.iterate(v)
	if len(items) == 0 {
		return undefined{"an item of nothing"}
	}
	best := items[0]
	for _, x := range items[1:] {
		r.step()
		if r.order(x, best)*sign > 0 {
			best = x
		}
	}
	return best
}

func filterIndent(r *run, v any, args []any, named map[string]any) any {
	width := 4
	if w, ok := argument(args, named, 0, "width"); ok {
		n, ok := w.(int64)
		if !ok || n < 0 || n > 64 {
			r.fail("indent by something that is not 0 to 64")
		}
		width = int(n)
	}
	first, _ := argument(args, named, 1, "first")
	empty, _ := argument(args, named, 2, "blank")
	lines := strings.Split(show(r, v), "\n")
	r.spend(width * len(lines))
	for i, line := range lines {
		if (i > 0 || truth(first)) && (line != "" || truth(empty)) {
			lines[i] = strings.Repeat(" ", width) + line
		}
	}
	return r.text(strings.Join(lines, "\n"))
}

// title is Jinja's: every word begins with a capital.
func title(s string) string {
	var b strings.Builder
	start := true
	for _, c := range s {
		if start {
			b.WriteRune(unicode.ToUpper(c))
		} else {
			b.WriteRune(unicode.ToLower(c))
		}
		start = unicode.IsSpace(c) || strings.ContainsRune("-({[<", c)
	}
	return b.String()
}

func capitalize(s string) string {
	for i, c := range s {
		return string(unicode.ToUpper(c)) + strings.ToLower(s[i+len(string(c)):])
	}
	return s
}
