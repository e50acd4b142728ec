package web

import (
	"strconv"
	"strings"
	"time"

	"vitrine/views/i18n"
	"vitrine/web/app"
)

// auditTerms is a search of the log: the words that were understood and the
// filter that they make.
type auditTerms struct {
	words []string
	query app.EventQuery
}

// auditQuery reads a search: words of the form name:value, and words that
// stand anywhere in an entry, separated by blanks.
// Whatever is not understood is left out and named in the complaint, so that a
// typing mistake never looks like an empty log.
func (c *Context) auditQuery(typed string) (t auditTerms, complaint string) {
	if len(typed) > 500 {
		typed = typed[:500]
	}
	for _, word := range strings.Fields(strings.ToValidUTF8(typed, "")) {
		key := t.add(word)
		if key == "" {
			t.words = append(t.words, word)
		} else if complaint == "" {
			complaint = i18n.T(c.Ctx(), key, "word", word)
		}
	}
	return t, complaint
}

// add puts one word into the filter and returns the key of a complaint, or "".
func (t *auditTerms) add(word string) string {
	name, value, ok := strings.Cut(word, ":")
	if !ok {
		t.query.Text = append(t.query.Text, word)
		return ""
	}
	if value == "" {
		return "audit.bad-query"
	}
	switch name {
	case "kind":
		t.query.Kind = strings.TrimLeft(t.query.Kind+" "+value, " ")
	case "actor":
		t.query.Actor = value
	case "model":
		t.query.Model = value
	case "object":
		t.query.Object = value
	case "text":
		t.query.Text = append(t.query.Text, value)
	case "decision":
		if value != "allow" && value != "deny" {
			return "audit.bad-query"
		}
		t.query.Decision = value
	case "after", "before":
		at, ok := moment(value)
		if !ok {
			return "audit.bad-date"
		}
		if name == "after" {
			t.query.After = at
		} else {
			t.query.Until = at
		}
	case "index":
		from, to, ok := indexes(value)
		if !ok {
			return "audit.bad-index"
		}
		t.query.From, t.query.To = &from, &to
	default:
		return "audit.bad-query"
	}
	return ""
}

func moment(s string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02", time.RFC3339, "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// indexes reads an index or a range of them, the last included.
func indexes(s string) (from, to int64, ok bool) {
	a, b, isRange := strings.Cut(strings.ReplaceAll(s, ",", ""), "-")
	from, err := strconv.ParseInt(a, 10, 64)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	to = from
	if isRange {
		if to, err = strconv.ParseInt(b, 10, 64); err != nil || to < from {
			return 0, 0, false
		}
	}
	return from, to + 1, true
}
