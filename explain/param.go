package explain

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// bound makes a limit for a Param.
func bound(v float64) *float64 { return &v }

// value checks v and brings it into the parameter's own type: int, float64, string or bool. Numbers may come as Go
// numbers, json.Number or text (a form or a command line gives text).
func (p Param) value(v any) (any, error) {
	switch p.Type {
	case "int", "float":
		f, ok := number(v)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, p.refuse(v, "is not a number")
		}
		if p.Min != nil && f < *p.Min || p.Max != nil && f > *p.Max {
			return nil, p.refuse(v, "is outside "+p.Range())
		}
		if p.Type == "float" {
			return f, nil
		}
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, p.refuse(v, "is not a whole number")
		}
		return int(f), nil
	case "bool":
		switch b := v.(type) {
		case bool:
			return b, nil
		case string:
			if t, err := strconv.ParseBool(b); err == nil {
				return t, nil
			}
		}
		return nil, p.refuse(v, "is neither true nor false")
	case "enum", "string":
		s, ok := v.(string)
		if !ok || len(s) > 200 {
			return nil, p.refuse(v, "is not a short text")
		}
		if p.Type == "enum" && !slices.Contains(p.Enum, s) {
			return nil, p.refuse(v, "is not one of "+strings.Join(p.Enum, ", "))
		}
		return s, nil
	}
	return nil, p.refuse(v, "has a type that this program does not know")
}

// Range says in words which values a number may take, "" where any.
func (p Param) Range() string {
	text := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	switch {
	case p.Min != nil && p.Max != nil:
		return text(*p.Min) + " to " + text(*p.Max)
	case p.Min != nil:
		return "at least " + text(*p.Min)
	case p.Max != nil:
		return "at most " + text(*p.Max)
	}
	return ""
}

func (p Param) refuse(v any, why string) error {
	s := fmt.Sprint(v)
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return fmt.Errorf("explain: parameter %s: %q %s: %w", p.Name, s, why, ErrParam)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case float32:
		return float64(n), true
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
		return f, err == nil
	}
	return 0, false
}

// Resolve checks given parameters against the method's list and fills in defaults. An empty text stands for the
// default, so that a form may be sent as it is. Errors wrap ErrParam.
func (m Method) Resolve(given map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(m.Params))
	known := make([]string, 0, len(m.Params))
	for _, p := range m.Params {
		known = append(known, p.Name)
		v, ok := given[p.Name]
		if s, text := v.(string); !ok || v == nil || text && s == "" {
			v = p.Default
		}
		val, err := p.value(v)
		if err != nil {
			return nil, err
		}
		out[p.Name] = val
	}
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !slices.Contains(known, name) {
			has := "it has none"
			if len(known) > 0 {
				has = "it has " + strings.Join(known, ", ")
			}
			return nil, fmt.Errorf("explain: %s has no parameter %q (%s): %w", m.ID, name, has, ErrParam)
		}
	}
	return out, nil
}
