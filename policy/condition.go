package policy

import (
	"fmt"
	"slices"
	"strings"
)

// condition is a compiled condition: every term must hold. The vocabulary is
// closed:
//
//	purpose in {research, audit}      purpose not in {credit-scoring}
//	data_class in {public}            data_class <= personal
//	method in {attention}             method not in {occlusion}
//	auth in {password, api-key}       auth not in {demo-link}
//
// joined by "and". An empty condition always holds. Nothing is evaluated as
// code: a term that is not in this list does not compile.
type condition []term

type term struct {
	text   string // canonical form, shown to people
	field  string
	op     string // "in", "not in", "<="
	values []string
}

const (
	maxCondition = 500
	maxList      = 64
)

// compileCondition parses s. Errors name the term and what is possible instead.
func compileCondition(s string) (condition, error) {
	if len(s) > maxCondition {
		return nil, fmt.Errorf("condition is longer than %d characters", maxCondition)
	}
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var c condition
	for _, part := range strings.Split(s, " and ") {
		t, err := compileTerm(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		c = append(c, t)
	}
	return c, nil
}

func compileTerm(s string) (term, error) {
	field, rest, _ := strings.Cut(s, " ")
	known, ok := fieldWords(field)
	if !ok {
		return term{}, fmt.Errorf("condition term %s: no field %s; use purpose, data_class, method or auth", quote(s), quote(field))
	}
	rest = strings.TrimSpace(rest)
	t := term{field: field}
	switch {
	case strings.HasPrefix(rest, "<=") && field == "data_class":
		t.op, t.values = "<=", []string{strings.TrimSpace(rest[2:])}
	case strings.HasPrefix(rest, "in ") || strings.HasPrefix(rest, "in{"):
		t.op = "in"
		rest = strings.TrimSpace(rest[2:])
	case strings.HasPrefix(rest, "not in ") || strings.HasPrefix(rest, "not in{"):
		t.op = "not in"
		rest = strings.TrimSpace(rest[6:])
	default:
		return term{}, fmt.Errorf("condition term %s: write `in {…}`, `not in {…}` or, for data_class, `<= CLASS`", quote(s))
	}
	if t.op != "<=" {
		if !strings.HasPrefix(rest, "{") || !strings.HasSuffix(rest, "}") {
			return term{}, fmt.Errorf("condition term %s: put the values between { and }", quote(s))
		}
		for _, v := range strings.Split(rest[1:len(rest)-1], ",") {
			t.values = append(t.values, strings.TrimSpace(v))
		}
	}
	if len(t.values) > maxList {
		return term{}, fmt.Errorf("condition term of %s has more than %d values", field, maxList)
	}
	for _, v := range t.values {
		if known == nil && !isName(v) || known != nil && !slices.Contains(known, v) {
			return term{}, fmt.Errorf("condition term %s: unknown %s %s%s", quote(s), field, quote(v), choices(known))
		}
	}
	return t.canonical(), nil
}

// fieldWords returns the closed list of a field's values; nil when any name is
// allowed (explanation methods are registered elsewhere).
func fieldWords(field string) ([]string, bool) {
	switch field {
	case "purpose":
		return Purposes, true
	case "data_class":
		return DataClasses, true
	case "auth":
		return Auths, true
	case "method":
		return nil, true
	}
	return nil, false
}

func choices(known []string) string {
	if known == nil {
		return ""
	}
	return "; use one of " + strings.Join(known, ", ")
}

// canonical sorts the values, drops duplicates and writes the term's text.
func (t term) canonical() term {
	if t.op == "<=" {
		t.text = t.field + " <= " + t.values[0]
		return t
	}
	slices.Sort(t.values)
	t.values = slices.Compact(t.values)
	t.text = t.field + " " + t.op + " {" + strings.Join(t.values, ", ") + "}"
	return t
}

// String is the canonical text of the condition.
func (c condition) String() string {
	parts := make([]string, len(c))
	for i, t := range c {
		parts[i] = t.text
	}
	return strings.Join(parts, " and ")
}

func (c condition) holds(ctx Context) bool {
	for _, t := range c {
		if !t.holds(ctx) {
			return false
		}
	}
	return true
}

// unmet returns the texts of the terms that do not hold, in order.
func (c condition) unmet(ctx Context) []string {
	var out []string
	for _, t := range c {
		if !t.holds(ctx) {
			out = append(out, t.text)
		}
	}
	return out
}

func (t term) holds(ctx Context) bool {
	var v string
	switch t.field {
	case "purpose":
		v = ctx.Purpose
	case "data_class":
		v = ctx.DataClass
	case "method":
		v = ctx.Method
	case "auth":
		v = ctx.Auth
	}
	switch t.op {
	case "in":
		return slices.Contains(t.values, v)
	case "not in":
		return !slices.Contains(t.values, v)
	case "<=":
		return slices.Index(DataClasses, v) <= slices.Index(DataClasses, t.values[0])
	}
	return false
}

// contradictory reports whether no context can satisfy the condition.
func (c condition) contradictory() bool {
	for _, field := range []string{"purpose", "data_class", "method", "auth"} {
		words, _ := fieldWords(field)
		if words == nil {
			words = append(c.mentioned(field), "", "\x00other")
		}
		possible := false
		for _, w := range words {
			ctx := Context{Purpose: w, DataClass: w, Method: w, Auth: w}
			ok := true
			for _, t := range c {
				ok = ok && (t.field != field || t.holds(ctx))
			}
			possible = possible || ok
		}
		if !possible {
			return true
		}
	}
	return false
}

// mentioned returns the values that the condition names for the field.
func (c condition) mentioned(field string) []string {
	var out []string
	for _, t := range c {
		if t.field == field {
			out = append(out, t.values...)
		}
	}
	return out
}
