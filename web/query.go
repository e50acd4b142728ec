package web

import (
	"slices"
	"strconv"
	"time"

	"vitrine/web/app"
)

// pageArgs are the query parameters of every list; its cursor is a "ulid" or an
// "index".
func pageArgs(cursor string) []Arg {
	s := obj{"type": "string", "pattern": schemaPatterns["ulid"]}
	if cursor == "index" {
		s = obj{"type": "string", "pattern": schemaPatterns["index"]}
	}
	return []Arg{
		{Name: "before", Summary: "cursor: next of the part before", Schema: s},
		{Name: "limit", Summary: "rows of this part", Schema: obj{"type": "integer", "minimum": 1, "maximum": 200}},
	}
}

var timeArg = obj{"type": "string", "anyOf": []obj{{"format": "date-time"}, {"format": "date"}}}

// rangeArgs are the query parameters of a time range.
var rangeArgs = []Arg{
	{Name: "after", Summary: "not older than this", Schema: timeArg},
	{Name: "until", Summary: "older than this", Schema: timeArg},
}

func text(name, summary string) Arg {
	return Arg{Name: name, Summary: summary, Schema: obj{"type": "string", "maxLength": 200}}
}

func choice(name, summary string, words ...string) Arg {
	return Arg{Name: name, Summary: summary, Schema: obj{"type": "string", "enum": words}}
}

// knownQuery refuses a query parameter that the route's document does not name: a
// misspelt filter must not answer with everything. Pages keep their state in their
// address and pass what they do not know.
func (c *Context) knownQuery() error {
	if c.route.doc == nil {
		return nil
	}
	for name := range c.QueryParams() {
		if !slices.ContainsFunc(c.route.doc.Query, func(a Arg) bool { return a.Name == name }) {
			return invalid("a query parameter is not one that this address takes", "compare it with /api/openapi.json")
		}
	}
	return nil
}

// query reads the query parameters of a request and keeps the first complaint,
// so that a handler reads them all and checks once.
type query struct {
	c   *Context
	err error
}

func (q *query) str(name string) string {
	v := q.c.QueryParam(name)
	if len(q.c.QueryParams()[name]) > 1 && q.err == nil {
		q.err = invalid("the query parameter "+name+" is given twice", "give it once")
	}
	if len(v) > 200 && q.err == nil {
		q.err = invalid("the query parameter "+name+" is longer than 200 bytes", "shorten it")
	}
	return v
}

func (q *query) integer(name string, low, high int64) *int64 {
	if !q.c.QueryParams().Has(name) {
		return nil
	}
	n, err := strconv.ParseInt(q.c.QueryParam(name), 10, 64)
	if (err != nil || n < low || n > high) && q.err == nil {
		q.err = invalid("the query parameter "+name+" is not a whole number from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10), "correct it or leave it out")
	}
	return &n
}

// when reads an RFC 3339 time or a plain date, which means its first moment in
// UTC.
func (q *query) when(name string) time.Time {
	v, strict := q.c.QueryParam(name), q.c.route != nil && q.c.route.doc != nil
	if v == "" && !(strict && q.c.QueryParams().Has(name)) { // a form sends its empty fields
		return time.Time{}
	}
	layouts := []string{time.RFC3339, "2006-01-02", "2006-01-02T15:04"}
	if strict {
		layouts = layouts[:2]
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC()
		}
	}
	if q.err == nil {
		q.err = invalid("the query parameter "+name+" is not a time", "write it like 2026-11-24T09:30:00Z or 2026-11-24")
	}
	return time.Time{}
}

func (q *query) oneOf(name string, words ...string) string {
	v := q.c.QueryParam(name)
	if v == "" && !q.c.QueryParams().Has(name) {
		return ""
	}
	for _, w := range words {
		if v == w {
			return v
		}
	}
	if v != "" && q.err == nil {
		q.err = invalid("the query parameter "+name+" has no such value", "see /api/openapi.json for the words it takes")
	}
	return v
}

func (q *query) page() app.Page {
	p := app.Page{Before: q.str("before")}
	if n := q.integer("limit", 1, 200); n != nil {
		p.Limit = int(*n)
	}
	return p
}
