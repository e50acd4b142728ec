package web

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"vitrine/views/i18n"
)

// origins are the words before the sentence of an error that tell a developer
// where it comes from; people read the sentence.
var origins = func() map[string]bool {
	m := map[string]bool{}
	for _, k := range kinds {
		m[k.err.Error()] = true
	}
	for _, p := range []string{"inference", "explain", "app", "policy", "privacy", "identity", "vision", "tokenizer", "weights", "audit", "store", "web", "db",
		"input not usable", "parameter not usable", "target not usable", "rule not usable"} {
		m[p] = true
	}
	return m
}()

// say turns a problem into what a page tells: one sentence, and what to do. The
// sentences of errors are English; a page in another language says first in its
// own words what kind of problem it is.
func (c *Context) say(p Problem) (what, hint string) {
	what, hint = sentence(p.Detail), sentence(p.Hint)
	if c.Lang != i18n.Languages[0] {
		if own := i18n.Or(c.Ctx(), "error.code-"+p.Code, ""); own != "" {
			return own, strings.TrimSpace(what + " " + hint)
		}
	}
	return what, hint
}

// sentence drops the origin, begins with a capital and ends with a stop.
func sentence(s string) string {
	for {
		head, rest, ok := strings.Cut(s, ": ")
		if !ok || !origins[head] {
			break
		}
		s = rest
	}
	if s == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if last, _ := utf8.DecodeLastRuneInString(s); unicode.IsLetter(last) || unicode.IsDigit(last) || last == '"' || last == ')' {
		s += "."
	}
	return s
}
