package web

import (
	"strconv"
	"strings"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/policy/privacy"
	"vitrine/web/app"
)

// What the document says beyond Go's types. Everything here is either checked on
// every body (schema.go) or, for words of a closed list, by the use case.

// closedLists are the vocabularies of the registries.
var closedLists = map[string]func() []string{
	"purposes":     func() []string { return optional(policy.Purposes) },
	"data-classes": func() []string { return optional(policy.DataClasses) },
	"roles":        func() []string { return policy.Roles },
	"methods":      explain.IDs,
	"formats":      func() []string { return []string{"csv", "jsonl", "ocsf", "pack"} },
	"languages":    func() []string { return []string{"", "en", "zh-Hans"} },
	"levels":       func() []string { return optional(policy.Levels) },
	"figures": func() []string {
		var out []string
		for _, m := range explain.Metrics() {
			out = append(out, m.ID)
		}
		return out
	},
	"gate-actions": func() []string { return policy.GateActions },
	"effects":      func() []string { return []string{policy.CellAllow, policy.CellDeny, policy.CellNone} },
	"verdicts":     func() []string { return []string{app.VerdictApprove, app.VerdictReject, app.VerdictWithdraw} },
	"actions": func() []string {
		out := make([]string, len(policy.Actions))
		for i, a := range policy.Actions {
			out[i] = string(a)
		}
		return out
	},
	"masks": func() []string {
		out := []string{policy.MaskAll}
		for _, r := range privacy.Recognisers() {
			out = append(out, r.ID)
		}
		return out
	},
}

// optional allows the empty word, which means the default.
func optional(words []string) []string { return append([]string{""}, words...) }

// schemaPatterns are regular expressions that RE2, ECMA-262 and Python read alike.
var schemaPatterns = map[string]string{
	"base64":    `^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`,
	"condition": conditionPattern(),
	"index":     `^[0-9]{0,15}$`,
	"kinds":     `^(?:[A-Z]{2,16}(?:\.[A-Z]{2,16}){0,2}(?:[ ,][A-Z]{2,16}(?:\.[A-Z]{2,16}){0,2}){0,31})?$`,
	"model":     `^(?:[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,94}[A-Za-z0-9])?)?$`,
	"name":      `^[` + nameChars + `](?:[ ` + nameChars + `]{0,62}[` + nameChars + `])?$`,
	"path":      `^[^\x00]+$`,
	"sentence":  `[A-Za-z0-9À-ɏͰ-ϿЀ-ӿぁ-ヿ一-鿿가-힣]`,
	"ulid":      `^(?:[0-7][0-9A-HJKMNP-TV-Z]{25})?$`,
	"version":   `^(?:[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?)?$`,
}

// nameChars are visible characters of blocks without gaps, without ':' and '/'.
const nameChars = `!-.0-9;-~¡-¬®-ɏЀ-҂ぁ-ゖァ-ヺ一-鿿가-힣`

// conditionPattern is the vocabulary of conditions, written as one expression.
func conditionPattern() string {
	list := func(words []string) string {
		w := "(?:" + strings.ReplaceAll(strings.Join(words, "|"), ".", `\.`) + ")"
		return `(?:not )?in \{` + w + `(?:, ` + w + `){0,3}\}`
	}
	term := "(?:purpose " + list(policy.Purposes) + "|auth " + list(policy.Auths) + "|method " + list(explain.IDs()) +
		"|data_class " + list(policy.DataClasses) + "|data_class <= (?:" + strings.Join(policy.DataClasses, "|") + "))"
	return "^(?:" + term + "(?: and " + term + ")?)?$"
}

// schemaRules are rules between the fields of a type. anyOf is checked here;
// oneOf is documentation of what the use case checks with a better sentence.
var schemaRules = map[string]func() obj{
	"predictBody":        textOrImage,
	"app.PreviewRequest": textOrImage,
	"exportBody": func() obj {
		props := obj{"format": obj{"enum": []string{"pack"}}}
		for _, f := range []string{"kind", "actor", "model", "decision"} {
			props[f] = obj{"maxLength": 0}
		}
		return obj{"oneOf": []obj{{"properties": obj{"format": obj{"enum": []string{"csv", "jsonl", "ocsf"}}}}, {"properties": props}}}
	},
	"explainBody": func() obj {
		var list []obj
		for _, m := range explain.Methods() {
			params := obj{}
			for _, p := range m.Params {
				params[p.Name] = paramSchema(p)
			}
			list = append(list, obj{"properties": obj{
				"method": obj{"enum": []string{m.ID}},
				"params": obj{"type": "object", "properties": params, "additionalProperties": false},
			}})
		}
		return obj{"oneOf": list}
	},
}

func textOrImage() obj {
	return obj{"anyOf": []obj{{"required": []string{"text"}}, {"required": []string{"image"}}}}
}

func paramSchema(p explain.Param) obj {
	s := obj{"default": p.Default}
	switch p.Type {
	case "int":
		s["type"] = "integer"
	case "float":
		s["type"] = "number"
	case "bool":
		s["type"] = "boolean"
	default:
		s["type"] = "string"
	}
	s["type"] = []string{s["type"].(string), "null"} // null = the default
	if p.Min != nil {
		s["minimum"] = *p.Min
	}
	if p.Max != nil {
		s["maximum"] = *p.Max
	}
	if len(p.Enum) > 0 {
		words := []any{nil}
		for _, w := range p.Enum {
			words = append(words, w)
		}
		s["enum"] = words
	}
	return s
}

// applyTag adds the constraints of a field's schema tag, for example
// `schema:"minLength=1;maxLength=200;list=roles"`; a key that begins with items.
// speaks of the elements of a list. What may be null is constrained where it is
// not.
func applyTag(s obj, tag string) {
	if tag == "" {
		return
	}
	if alternatives, ok := s["anyOf"].([]obj); ok && len(alternatives) == 2 {
		s = alternatives[0]
	}
	for _, kv := range strings.Split(tag, ";") {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			panic("web: schema tag " + tag)
		}
		at := s
		if rest, ok := strings.CutPrefix(k, "items."); ok {
			k, at = rest, s["items"].(obj)
		}
		constrain(at, k, v)
	}
}

func constrain(s obj, k, v string) {
	switch k {
	case "list":
		s["enum"], s["x-closed-list"] = closedLists[v](), v
	case "enum":
		s[k] = strings.Split(v, "|")
	case "pattern":
		p, ok := schemaPatterns[v]
		if !ok {
			panic("web: no schema pattern " + v)
		}
		s[k] = p
	case "says":
		s["x-pattern-says"] = v
	default:
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			panic("web: schema tag " + k + "=" + v)
		}
		s[k] = n
	}
}
