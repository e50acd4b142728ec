package template

import "strings"

// tests are what may stand behind "is".
var tests = map[string]func(r *run, v any, args []any) bool{}

func init() {
	kind := func(f func(v any) bool) func(*run, any, []any) bool {
		return func(_ *run, v any, _ []any) bool { return f(v) }
	}
	isUndefined := func(v any) bool { _, ok := v.(undefined); return ok }
	isNumber := func(v any) bool { _, ok := number(v); return ok }
	for name, f := range map[string]func(*run, any, []any) bool{
		"undefined": kind(isUndefined),
		"defined":   kind(func(v any) bool { return !isUndefined(v) }),
		"none":      kind(func(v any) bool { return v == nil }),
		"string":    kind(func(v any) bool { _, ok := v.(string); return ok }),
		"boolean":   kind(func(v any) bool { _, ok := v.(bool); return ok }),
		"true":      kind(func(v any) bool { return v == true }),
		"false":     kind(func(v any) bool { return v == false }),
		"integer":   kind(func(v any) bool { _, ok := v.(int64); return ok }),
		"float":     kind(func(v any) bool { _, ok := v.(float64); return ok }),
		"number":    kind(isNumber),
		"mapping":   kind(func(v any) bool { _, ok := v.(*Dict); return ok }),
		"callable":  kind(func(v any) bool { _, ok := v.(function); return ok }),
		"iterable": kind(func(v any) bool {
			switch v.(type) {
			case string, *List, *Dict, undefined:
				return true
			}
			return false
		}),
		"sequence": kind(func(v any) bool {
			switch v.(type) {
			case string, *List, *Dict, undefined:
				return true
			}
			return false
		}),
		"odd":  func(r *run, v any, _ []any) bool { return equal(r.arithmetic("%", v, int64(2)), int64(1), 0) },
		"even": func(r *run, v any, _ []any) bool { return equal(r.arithmetic("%", v, int64(2)), int64(0), 0) },
		"divisibleby": func(r *run, v any, args []any) bool {
			if len(args) != 1 {
				r.fail("divisibleby without a number")
			}
			return equal(r.arithmetic("%", v, args[0]), int64(0), 0)
		},
		"lower": func(r *run, v any, _ []any) bool {
			s := show(r, v)
			return s == strings.ToLower(s) && s != strings.ToUpper(s)
		},
		"upper": func(r *run, v any, _ []any) bool {
			s := show(r, v)
			return s == strings.ToUpper(s) && s != strings.ToLower(s)
		},
	} {
		tests[name] = f
	}
}

func init() {
	against := func(op string) func(*run, any, []any) bool {
		return func(r *run, v any, args []any) bool {
			if len(args) != 1 {
				r.fail("a test against nothing")
			}
			return r.compare(op, v, args[0])
		}
	}
	for name, f := range map[string]func(*run, any, []any) bool{
		"in": against("in"), "eq": against("=="), "equalto": against("=="), "ne": against("!="),
		"lt": against("<"), "gt": against(">"), "le": against("<="), "ge": against(">="),
	} {
		tests[name] = f
	}
}
