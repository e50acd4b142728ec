package web

import (
	"net/http"
	"strconv"
	"strings"

	"vitrine/policy"
	"vitrine/web/app"
)

func init() {
	api(http.MethodGet, "/api/v1/audit/events", policy.AuditRead, Doc{Summary: "Search the audit log, newest first", Reply: app.EventList{}, Query: eventArgs}, eventList)
	api(http.MethodGet, "/api/v1/audit/events/:index", policy.AuditRead, Doc{Summary: "One entry with its inclusion proof", Reply: app.EventDetail{}}, eventGet)
	api(http.MethodGet, "/api/v1/audit/receipts/:event", SignedIn, Doc{Summary: "The receipt of an event, for the caller whose event it is or an auditor", Reply: app.ReceiptView{}}, receiptGet)
	api(http.MethodPost, "/api/v1/audit/verify", policy.AuditRead, Doc{Summary: "Check the whole log now", Reply: app.HealthView{}}, logVerify)
	api(http.MethodGet, "/log/:log/*", policy.AuditRead, Doc{Summary: "The log in C2SP tlog-tiles layout: checkpoint, tile/…, tile/entries/…", Media: "application/octet-stream", Path: map[string]string{"log": "^[0-9A-Za-z]+$", "path": "^[0-9A-Za-z./-]+$"}}, logTile)
}

// wordsPattern is up to four words of what metadata is made of.
const wordsPattern = `^$|^[A-Za-z0-9._:/@-]{3,96}( [A-Za-z0-9._:/@-]{3,96}){0,3}$`

// eventArgs are the filters of the log, the same for lists and exports.
var eventArgs = append([]Arg{
	Arg{Name: "kind", Summary: "PREDICTION.MADE.OK, or a prefix", Schema: obj{"type": "string", "pattern": schemaPatterns["kinds"]}}, {Name: "text", Summary: "up to four words of the metadata; identifiers are looked for in the whole log, others in the newest 20,000 entries", Schema: obj{"type": "string", "pattern": wordsPattern}}, text("actor", "user:… or key:…"), text("model", "name or name@version"),
	choice("decision", "", "allow", "deny"), text("object", ""),
	{Name: "from", Summary: "first index", Schema: obj{"type": "integer", "minimum": 0, "maximum": 1<<53 - 1}},
	{Name: "to", Summary: "index after the last", Schema: obj{"type": "integer", "minimum": 0, "maximum": 1<<53 - 1}},
}, append(pageArgs("index"), rangeArgs...)...)

func (q *query) events() app.EventQuery {
	return app.EventQuery{
		Page: q.page(), Kind: q.str("kind"), Actor: q.str("actor"), Model: q.str("model"),
		Decision: q.oneOf("decision", "allow", "deny"), Object: q.str("object"), Text: strings.Fields(q.str("text")), After: q.when("after"), Until: q.when("until"),
		From: q.integer("from", 0, 1<<53-1), To: q.integer("to", 0, 1<<53-1),
	}
}

func eventList(c *Context) error {
	q := query{c: c}
	r := q.events()
	if q.err != nil {
		return q.err
	}
	if !compiled(schemaPatterns["kinds"]).MatchString(r.Kind) {
		return invalid("the query parameter kind is not a kind of entry", "write it like PREDICTION or PREDICTION.MADE.OK")
	}
	if !compiled(schemaPatterns["index"]).MatchString(r.Before) {
		return invalid("the query parameter before is not a cursor of this list", "use the cursor that the part before ended with")
	}
	if !compiled(wordsPattern).MatchString(c.QueryParam("text")) {
		return invalid("the query parameter text is not made of words", "use up to four words of letters, digits and . _ : / @ -")
	}
	v, err := c.App.AuditEvents(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

// index reads the index of an entry from the path.
func (c *Context) index() (int64, error) {
	n, err := strconv.ParseInt(c.Param("index"), 10, 64)
	if err != nil || n < 0 {
		return 0, app.ErrNotFound
	}
	return n, nil
}

func eventGet(c *Context) error {
	n, err := c.index()
	if err != nil {
		return err
	}
	v, err := c.App.AuditEvent(c.Ctx(), c.Caller, n)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func receiptGet(c *Context) error {
	v, err := c.App.Receipt(c.Ctx(), c.Caller, c.param("event"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func logVerify(c *Context) error {
	v, err := c.App.VerifyLog(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

// logTile serves the log's files. Full tiles never change; the checkpoint and
// partial tiles do.
func logTile(c *Context) error {
	path := strings.TrimPrefix(c.Param("*"), "/")
	data, err := c.App.LogTile(c.Ctx(), c.Caller, c.param("log"), path)
	if err != nil {
		return err
	}
	media, cache := "application/octet-stream", "private, no-store"
	if path == "checkpoint" {
		media = "text/plain; charset=utf-8"
	} else if !strings.Contains(path, ".p/") {
		cache = "private, max-age=31536000, immutable"
	}
	c.Response().Header().Set("Cache-Control", cache)
	return c.Blob(http.StatusOK, media, data)
}
