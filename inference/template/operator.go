package template

import (
	"math"
	"strings"
)

// arithmetic is + - * / // %.
func (r *run) arithmetic(op string, a, b any) any {
	r.step()
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return r.integers(op, x, y)
		}
	}
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		return r.numbers(op, a, b, x, y)
	}
	_, markA := a.(markup)
	_, markB := b.(markup)
	_, textA := plain(a).(string)
	_, textB := plain(b).(string)
	if op == "+" && (markA || markB) && textA && textB {
		return markup(r.text(escaped(r, a) + escaped(r, b)))
	}
	switch a := a.(type) {
	case string:
		if s, ok := b.(string); ok && op == "+" {
			return r.text(a + s)
		}
		if n, ok := b.(int64); ok && op == "*" {
			n = max(n, 0)
			if n > 0 && int64(len(a)) > maxOutput/n {
				r.stop("a text is too long")
			}
			return r.text(strings.Repeat(a, int(n)))
		}
		if op == "%" {
			r.fail("texts are not formatted with %%")
		}
	case *List:
		if l, ok := b.(*List); ok && op == "+" && a.tuple == l.tuple {
			r.spend(16 * (len(a.items) + len(l.items)))
			return &List{items: append(append([]any{}, a.items...), l.items...), tuple: a.tuple}
		}
	}
	r.fail("%s %s %s cannot be computed", typeName(a), op, typeName(b))
	return nil
}

// numbers computes with what a and b are as numbers.
func (r *run) numbers(op string, a, b any, x, y float64) any {
	switch op {
	case "+":
		return r.sameKind(a, b, x+y)
	case "-":
		return r.sameKind(a, b, x-y)
	case "*":
		return r.sameKind(a, b, x*y)
	}
	if y == 0 {
		r.fail("division by zero")
	}
	switch op {
	case "/":
		return x / y
	case "//":
		return math.Floor(x / y)
	}
	return x - float64(y*math.Floor(x/y))
}

// sameKind keeps sums of booleans whole numbers.
func (r *run) sameKind(a, b any, f float64) any {
	_, floatA := a.(float64)
	_, floatB := b.(float64)
	if floatA || floatB {
		return f
	}
	return int64(f)
}

func (r *run) integers(op string, x, y int64) any {
	var z int64
	over := false
	switch op {
	case "+":
		z = x + y
		over = (z > x) != (y > 0) && y != 0
	case "-":
		z = x - y
		over = (z < x) != (y > 0) && y != 0
	case "*":
		z = x * y
		over = x != 0 && (z/x != y || x == -1 && y == math.MinInt64)
	default:
		if y == 0 {
			r.fail("division by zero")
		}
		if op == "/" {
			return float64(x) / float64(y)
		}
		q, m := x/y, x%y
		if m != 0 && (m < 0) != (y < 0) {
			q, m = q-1, m+y
		}
		if op == "%" {
			return m
		}
		return q
	}
	if over {
		r.fail("a number becomes too large")
	}
	return z
}

// compare is one of == != < > <= >= in and not in.
func (r *run) compare(op string, a, b any) bool {
	r.step()
	a, b = plain(a), plain(b)
	switch op {
	case "==":
		return equal(a, b, 0)
	case "!=":
		return !equal(a, b, 0)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	}
	c := r.order(a, b)
	return op == "<" && c < 0 || op == ">" && c > 0 || op == "<=" && c <= 0 || op == ">=" && c >= 0
}

// order compares two numbers or two texts.
func (r *run) order(a, b any) int {
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	s, okS := a.(string)
	t, okT := b.(string)
	if !okS || !okT {
		r.fail("%s and %s have no order", typeName(a), typeName(b))
	}
	return strings.Compare(s, t)
}

func (r *run) contains(in, what any) bool {
	switch in := in.(type) {
	case string:
		s, ok := what.(string)
		if !ok {
			r.fail("%s cannot be in a text", typeName(what))
		}
		return strings.Contains(in, s)
	case *List:
		r.spend(len(in.items))
		for _, x := range in.items {
			r.step()
			if equal(x, what, 0) {
				return true
			}
		}
		return false
	case *Dict:
		_, ok := in.get(what)
		return ok
	case undefined:
		return false
	}
	r.fail("nothing can be in %s", typeName(in))
	return false
}
