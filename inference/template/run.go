package template

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// run is one rendering.
type run struct {
	root  *scope
	out   []byte
	now   time.Time
	steps int
	bytes int
	depth int
}

// scope holds names; a loop's and a macro's have one of their own.
type scope struct {
	vars  map[string]any
	outer *scope
}

func (r *run) fail(format string, args ...any) {
	panic(failure{fmt.Errorf("%w: %s", ErrRender, fmt.Sprintf(format, args...))})
}

func (r *run) stop(what string) {
	panic(failure{fmt.Errorf("%w: %s", ErrBounds, what)})
}

// step counts what is done, spend what is made.
func (r *run) step() {
	if r.steps++; r.steps > maxSteps {
		r.stop(fmt.Sprintf("it takes more than %d steps; a loop may not end", maxSteps))
	}
}

func (r *run) spend(n int) {
	if r.bytes += n; r.bytes > maxBytes {
		r.stop(fmt.Sprintf("it makes more than %d MiB of texts and lists", maxBytes>>20))
	}
}

// text accounts for a text that was made.
func (r *run) text(s string) string {
	r.spend(len(s))
	return s
}

func (r *run) write(s string) {
	if len(r.out)+len(s) > maxOutput {
		r.stop(fmt.Sprintf("the text has more than %d MiB", maxOutput>>20))
	}
	r.out = append(r.out, s...)
}

func (r *run) enter() {
	if r.depth++; r.depth > maxDepth {
		r.stop(fmt.Sprintf("macros and loops lie more than %d deep", maxDepth))
	}
}

func (r *run) lookup(s *scope, name string) any {
	r.step()
	for at := s; at != nil; at = at.outer {
		if v, ok := at.vars[name]; ok {
			return v
		}
	}
	if f, ok := globals[name]; ok {
		return f
	}
	return undefined{name}
}

func (r *run) list(items []expr, s *scope, tuple bool) any {
	r.step()
	r.spend(16 * len(items))
	l := &List{items: make([]any, len(items)), tuple: tuple}
	for i, x := range items {
		l.items[i] = x(r, s)
	}
	return l
}

// member is v.name: a method or an attribute first, then an item.
func (r *run) member(v any, name string) any {
	r.step()
	v = plain(v)
	if m := method(v, name); m != nil {
		return m
	}
	switch v := v.(type) {
	case *object:
		if x, ok := v.fields[name]; ok {
			return x
		}
	case *loopState:
		if x, ok := v.field(name); ok {
			return x
		}
	case *Dict:
		if x, ok := v.get(name); ok {
			return x
		}
	case undefined:
		r.fail("%.60q is not defined and has no member %.60q", v.name, name)
	}
	return undefined{name}
}

// item is v[key]: an item first, then a method or an attribute.
func (r *run) item(v, key any) any {
	r.step()
	v, key = plain(v), plain(key)
	switch x := v.(type) {
	case undefined:
		r.fail("%.60q is not defined and has no items", x.name)
	case *Dict:
		if got, ok := x.get(key); ok {
			return got
		}
	case *List:
		if i, ok := key.(int64); ok {
			if i < 0 {
				i += int64(len(x.items))
			}
			if i >= 0 && i < int64(len(x.items)) {
				return x.items[i]
			}
		}
	case string:
		if i, ok := key.(int64); ok {
			chars := []rune(x)
			r.spend(len(x))
			if i < 0 {
				i += int64(len(chars))
			}
			if i >= 0 && i < int64(len(chars)) {
				return string(chars[i])
			}
		}
	}
	if name, ok := key.(string); ok {
		if m := method(v, name); m != nil {
			return m
		}
		if o, ok := v.(*object); ok {
			if x, ok := o.fields[name]; ok {
				return x
			}
		}
		if l, ok := v.(*loopState); ok {
			if x, ok := l.field(name); ok {
				return x
			}
		}
		return undefined{name}
	}
	return undefined{"an item that is not there"}
}

// slice is v[from:to:step].
func (r *run) slice(v any, bounds [3]any) any {
	r.step()
	var n int
	chars, isText := []rune(nil), false
	l, isList := v.(*List)
	switch x := plain(v).(type) {
	case string:
		chars, isText = []rune(x), true
		n = len(chars)
		r.spend(len(x))
	case *List:
		n = len(l.items)
		r.spend(16 * n)
	default:
		r.fail("%s cannot be sliced", typeName(v))
	}
	places := r.places(n, bounds)
	if isText {
		var b strings.Builder
		for _, i := range places {
			b.WriteRune(chars[i])
		}
		return b.String()
	}
	out := &List{tuple: isList && l.tuple}
	for _, i := range places {
		out.items = append(out.items, l.items[i])
	}
	return out
}

// places are the indices of [from:to:step] in a sequence of n.
func (r *run) places(n int, bounds [3]any) []int {
	step := int64(1)
	var given [3]*int64
	for i, b := range bounds {
		if b == nil {
			continue
		}
		x, ok := b.(int64)
		if !ok {
			r.fail("%s cannot bound a slice", typeName(b))
		}
		given[i] = &x
	}
	if given[2] != nil {
		step = *given[2]
	}
	if step == 0 || step > 1<<31 || step < -1<<31 {
		r.fail("a slice in steps of %d", step)
	}
	place := func(p *int64, otherwise int64) int64 {
		if p == nil {
			return otherwise
		}
		x := *p
		if x < 0 {
			x = max(x, -int64(n)-1) + int64(n)
		}
		if step > 0 {
			return min(max(x, 0), int64(n))
		}
		return min(max(x, -1), int64(n)-1)
	}
	from, to := place(given[0], 0), place(given[1], int64(n))
	if step < 0 {
		from, to = place(given[0], int64(n)-1), place(given[1], -1)
	}
	var places []int
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		places = append(places, int(i))
	}
	return places
}

func (r *run) call(f any, args []any, named map[string]any) any {
	r.step()
	fn, ok := f.(function)
	if !ok {
		r.fail("%s cannot be called", typeName(f))
	}
	r.enter()
	defer func() { r.depth-- }()
	return fn(r, args, named)
}

// iterate is what a loop goes over.
func (r *run) iterate(v any) []any {
	switch v := plain(v).(type) {
	case *List:
		return v.items
	case *Dict:
		return v.keys
	case string:
		var out []any
		r.spend(16 * len(v))
		for _, c := range v {
			out = append(out, string(c))
		}
		return out
	case undefined:
		return nil
	}
	r.fail("%s is nothing to loop over", typeName(v))
	return nil
}

// globals are the functions that every template may call.
var globals = map[string]function{
	"raise_exception": func(r *run, args []any, _ map[string]any) any {
		message := ""
		if len(args) > 0 {
			message = show(r, args[0])
		}
		panic(failure{&RaisedError{message}})
	},
	"strftime_now": func(r *run, args []any, _ map[string]any) any { return r.text(strftime(r, r.now, argText(r, args, 0))) },
	"namespace": func(r *run, args []any, named map[string]any) any {
		o := &object{fields: map[string]any{}}
		for _, a := range args {
			d, ok := a.(*Dict)
			if !ok {
				r.fail("a namespace is made from names and mappings")
			}
			for i, k := range d.keys {
				if s, ok := k.(string); ok {
					o.fields[s] = d.vals[i]
				}
			}
		}
		for k, v := range named {
			o.fields[k] = v
		}
		return o
	},
	"dict": func(r *run, args []any, named map[string]any) any {
		d := newDict()
		names := make([]string, 0, len(named))
		for k := range named {
			names = append(names, k)
		}
		slices.Sort(names)
		if len(args) > 0 || len(names) > 1 {
			r.fail("dict() takes one member by name here")
		}
		for _, k := range names {
			d.set(k, named[k])
		}
		return d
	},
	"range": func(r *run, args []any, _ map[string]any) any {
		bounds := [3]int64{0, 0, 1}
		for i, a := range args {
			n, ok := a.(int64)
			if !ok || i > 2 || n > 1<<31 || n < -1<<31 {
				r.fail("range() takes up to three numbers")
			}
			bounds[i] = n
		}
		if len(args) == 1 {
			bounds[0], bounds[1] = 0, bounds[0]
		}
		if len(args) == 0 || bounds[2] == 0 {
			r.fail("range() without an end or in steps of 0")
		}
		out := &List{}
		for i := bounds[0]; bounds[2] > 0 && i < bounds[1] || bounds[2] < 0 && i > bounds[1]; i += bounds[2] {
			r.step()
			r.spend(16)
			out.items = append(out.items, i)
		}
		return out
	},
}

// strftime knows the directives that dates in templates use.
func strftime(r *run, t time.Time, format string) string {
	layouts := map[byte]string{'d': "02", 'm': "01", 'Y': "2006", 'y': "06", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'H': "15", 'I': "03",
		'M': "04", 'S': "05", 'p': "PM", 'j': "002", 'Z': "MST", 'z': "-0700"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		switch {
		case format[i] != '%' || i+1 == len(format):
			b.WriteByte(format[i])
		case format[i+1] == '%':
			b.WriteByte('%')
			i++
		case format[i+1] == '-' && i+2 < len(format) && layouts[format[i+2]] != "":
			b.WriteString(strings.TrimLeft(t.Format(layouts[format[i+2]]), "0"))
			i += 2
		default:
			layout, ok := layouts[format[i+1]]
			if !ok {
				r.fail("the date directive %%%c", format[i+1])
			}
			b.WriteString(t.Format(layout))
			i++
		}
	}
	return b.String()
}

func argText(r *run, args []any, i int) string {
	if i >= len(args) {
		r.fail("an argument is missing")
	}
	s, ok := plain(args[i]).(string)
	if !ok {
		r.fail("%s where a text is expected", typeName(args[i]))
	}
	return s
}
