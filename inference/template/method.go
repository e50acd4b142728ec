package template

import (
	"strings"
	"unicode"
)

// method is v.name of a text, a list or a mapping, nil for none. Methods that would change their value are missing:
// the sandbox is immutable.
func method(v any, name string) any {
	switch v := v.(type) {
	case string:
		if m, ok := textMethods[name]; ok {
			return function(func(r *run, args []any, _ map[string]any) any { return m(r, v, args) })
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok {
			return function(func(r *run, args []any, _ map[string]any) any { return m(r, v, args) })
		}
	case *List:
		if m, ok := listMethods[name]; ok {
			return function(func(r *run, args []any, _ map[string]any) any { return m(r, v, args) })
		}
	}
	return nil
}

var textMethods map[string]func(r *run, s string, args []any) any

var dictMethods map[string]func(r *run, d *Dict, args []any) any

var listMethods map[string]func(r *run, l *List, args []any) any

func init() {
	changed := func(f func(string) string) func(*run, string, []any) any {
		return func(r *run, s string, _ []any) any { return r.text(f(s)) }
	}
	every := func(f func(rune) bool) func(*run, string, []any) any {
		return func(r *run, s string, _ []any) any {
			r.spend(len(s))
			return s != "" && strings.IndexFunc(s, func(c rune) bool { return !f(c) }) < 0
		}
	}
	place := func(f func(s, sub string) int) func(*run, string, []any) any {
		return func(r *run, s string, args []any) any {
			i := f(s, argText(r, args, 0))
			if i < 0 {
				return int64(-1)
			}
			return int64(len([]rune(s[:i])))
		}
	}
	textMethods = map[string]func(*run, string, []any) any{
		"strip":  func(r *run, s string, args []any) any { return strip(r, s, args, true, true) },
		"lstrip": func(r *run, s string, args []any) any { return strip(r, s, args, true, false) },
		"rstrip": func(r *run, s string, args []any) any { return strip(r, s, args, false, true) },
		"upper":  changed(strings.ToUpper), "lower": changed(strings.ToLower), "title": changed(title), "capitalize": changed(capitalize),
		"split":        func(r *run, s string, args []any) any { return split(r, s, args, false) },
		"rsplit":       func(r *run, s string, args []any) any { return split(r, s, args, true) },
		"splitlines":   func(r *run, s string, _ []any) any { return r.texts(splitLines(s)) },
		"startswith":   func(r *run, s string, args []any) any { return affix(r, s, args, strings.HasPrefix) },
		"endswith":     func(r *run, s string, args []any) any { return affix(r, s, args, strings.HasSuffix) },
		"replace":      func(r *run, s string, args []any) any { return replaced(r, s, args) },
		"removeprefix": func(r *run, s string, args []any) any { return strings.TrimPrefix(s, argText(r, args, 0)) },
		"removesuffix": func(r *run, s string, args []any) any { return strings.TrimSuffix(s, argText(r, args, 0)) },
		"join": func(r *run, s string, args []any) any {
			if len(args) != 1 {
				r.fail("join() takes one list")
			}
			return filterJoin(r, args[0], []any{s}, nil)
		},
		"format": format,
		"find":   place(strings.Index), "rfind": place(strings.LastIndex),
		"count": func(r *run, s string, args []any) any {
			r.spend(len(s))
			return int64(strings.Count(s, argText(r, args, 0)))
		},
		"isdigit": every(unicode.IsDigit), "isalpha": every(unicode.IsLetter), "isspace": every(unicode.IsSpace),
		"isalnum": every(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
	}
}

func init() {
	dictMethods = map[string]func(*run, *Dict, []any) any{
		"items":  func(r *run, d *Dict, _ []any) any { return r.pairs(d) },
		"keys":   func(r *run, d *Dict, _ []any) any { return r.copied(d) },
		"values": func(r *run, d *Dict, _ []any) any { return r.copied(&List{items: d.vals}) },
		"get": func(r *run, d *Dict, args []any) any {
			if len(args) == 0 || len(args) > 2 {
				r.fail("get() takes a key and a value")
			}
			if v, ok := d.get(args[0]); ok {
				return v
			}
			if len(args) == 2 {
				return args[1]
			}
			return nil
		},
	}
	listMethods = map[string]func(*run, *List, []any) any{
		"index": func(r *run, l *List, args []any) any {
			for i, x := range l.items {
				r.step()
				if len(args) == 1 && equal(x, args[0], 0) {
					return int64(i)
				}
			}
			r.fail("index() of something that is not in the list")
			return nil
		},
		"count": func(r *run, l *List, args []any) any {
			n := int64(0)
			for _, x := range l.items {
				r.step()
				if len(args) == 1 && equal(x, args[0], 0) {
					n++
				}
			}
			return n
		},
	}
}

func (r *run) texts(list []string) any {
	r.spend(32 * len(list))
	out := &List{}
	for _, s := range list {
		out.items = append(out.items, s)
	}
	return out
}

// strip takes white space, or the given characters, from the ends.
func strip(r *run, s string, args []any, left, right bool) string {
	gone := isPythonSpace
	if len(args) > 0 && args[0] != nil {
		set := argText(r, args, 0)
		gone = func(c rune) bool { return strings.ContainsRune(set, c) }
	}
	r.spend(len(s))
	if left {
		s = strings.TrimLeftFunc(s, gone)
	}
	if right {
		s = strings.TrimRightFunc(s, gone)
	}
	return s
}

// isPythonSpace is what str.strip takes away.
func isPythonSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1C && c <= 0x1F }

// split is s.split(separator, most), from the right with fromRight.
func split(r *run, s string, args []any, fromRight bool) any {
	r.spend(len(s))
	most := -1
	if len(args) > 1 {
		n, ok := args[1].(int64)
		if !ok || n < 0 || n > 1<<20 {
			r.fail("split() into a number of parts that is not 0 to %d", 1<<20)
		}
		most = int(n)
	}
	if len(args) == 0 || args[0] == nil {
		if most >= 0 {
			r.fail("split() at white space with a limit")
		}
		return r.texts(strings.FieldsFunc(s, isPythonSpace))
	}
	sep := argText(r, args, 0)
	if sep == "" {
		r.fail("split() at an empty text")
	}
	if most < 0 {
		return r.texts(strings.Split(s, sep))
	}
	if !fromRight {
		return r.texts(strings.SplitN(s, sep, most+1))
	}
	parts := strings.Split(s, sep)
	if cut := len(parts) - most; cut > 1 {
		parts = append([]string{strings.Join(parts[:cut], sep)}, parts[cut:]...)
	}
	return r.texts(parts)
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n"), "\n")
}

// format fills {} with the arguments, and {{ }} with brackets; anything else in brackets is refused.
func format(r *run, s string, args []any) any {
	var b strings.Builder
	next := 0
	for s != "" {
		switch {
		case strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "}}"):
			b.WriteByte(s[0])
			s = s[2:]
		case strings.HasPrefix(s, "{}"):
			if next >= len(args) {
				r.fail("format() with too few values")
			}
			b.WriteString(show(r, args[next]))
			next++
			s = s[2:]
		case s[0] == '{' || s[0] == '}':
			r.fail("format() with more than {} in brackets")
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
		if b.Len() > maxOutput {
			r.stop("a text is too long")
		}
	}
	return r.text(b.String())
}

// affix is startswith and endswith, of one text or any of a tuple.
func affix(r *run, s string, args []any, has func(s, affix string) bool) any {
	if len(args) == 1 {
		if l, ok := args[0].(*List); ok && l.tuple {
			for _, x := range l.items {
				if has(s, argText(r, []any{x}, 0)) {
					return true
				}
			}
			return false
		}
	}
	return has(s, argText(r, args, 0))
}
