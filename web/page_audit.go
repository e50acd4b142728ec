package web

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/chart"
	"vitrine/views/i18n"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/audit", policy.AuditRead, auditPage)
	page(http.MethodGet, "/audit/:index", policy.AuditRead, entryPage)
	page(http.MethodGet, "/audit/:index/proof", policy.AuditRead, entryProof)
	page(http.MethodPost, "/audit/verify", policy.AuditRead, auditVerify)
}

func auditPage(c *Context) error {
	typed := c.QueryParam("q")
	terms, complaint := c.auditQuery(typed)
	q := query{c: c}
	terms.query.Page = q.page()
	if q.err != nil {
		return q.err
	}
	list, err := c.App.AuditEvents(c.Ctx(), c.Caller, terms.query)
	if errors.Is(err, app.ErrInput) {
		complaint, terms = sentence(err.Error()), auditTerms{}
		list, err = c.App.AuditEvents(c.Ctx(), c.Caller, terms.query)
	}
	if err != nil {
		return err
	}
	m := views.Audit{Shell: c.shell("audit"), Query: typed, Error: complaint, Total: list.Total, More: list.More, Size: list.Size, Export: "/exports"}
	if len(terms.query.Text) > 0 {
		m.Words = app.AuditWords
	}
	m.Health = c.logHealth(m.Shell)
	for _, e := range list.Items {
		m.Rows = append(m.Rows, c.eventRow(e))
	}
	if list.Next != "" {
		m.Older = ui.Set(m.Shell.URL, "before", list.Next)
	}
	if c.QueryParam("before") != "" {
		m.Newest = ui.Set(m.Shell.URL, "before", "")
	}
	for i, t := range terms.words {
		rest := append(append([]string(nil), terms.words[:i]...), terms.words[i+1:]...)
		m.Filters = append(m.Filters, views.Filter{Text: strings.Replace(t, ":", " ", 1), Without: auditAddr(rest)})
	}
	m.Kinds = c.facet("kind", terms.words, list.Kinds, "name.event-")
	m.Outcomes = c.facet("decision", terms.words, list.Decisions, "audit.decision-")
	return c.Page(http.StatusOK, views.AuditPage(m))
}

// logHealth is what the last check of the log found. Whoever may read the log
// may see it.
func (c *Context) logHealth(s views.Shell) views.Health {
	h, err := c.App.LogHealth(c.Ctx(), c.Caller)
	if err != nil {
		return views.Health{Known: false, Size: s.LogSize, FirstBad: -1}
	}
	return health(*h)
}

// facet is the values of one field with their counts; a link adds the value to
// the search, or takes it out again.
func (c *Context) facet(name string, words []string, counts []app.CountView, names string) []ui.Option {
	var out []ui.Option
	for _, x := range counts {
		if x.Value == "" {
			continue
		}
		word := name + ":" + x.Value
		current := slices.Contains(words, word)
		var next []string
		for _, w := range words {
			if !strings.HasPrefix(w, name+":") {
				next = append(next, w)
			}
		}
		if !current {
			next = append(next, word)
		}
		out = append(out, ui.Option{Text: i18n.Or(c.Ctx(), names+x.Value, x.Value), Count: ui.Count(x.N), URL: auditAddr(next), Current: current})
	}
	return out
}

func auditAddr(words []string) string {
	if len(words) == 0 {
		return "/audit"
	}
	return "/audit?" + url.Values{"q": {strings.Join(words, " ")}}.Encode()
}

// eventRow brings an entry into the form that pages draw.
func (c *Context) eventRow(e app.EventView) views.EventRow {
	r := views.EventRow{Index: e.Index, Time: e.Time, Code: e.Code, Actor: c.actor(e.Actor), Object: e.Object, Model: e.Model.Name, Effect: e.Effect}
	kind, id, _ := strings.Cut(e.Object, ":")
	switch kind {
	case "prediction":
		r.URL = "/predictions/" + url.PathEscape(id)
	case "explanation":
		r.URL = "/explanations/" + url.PathEscape(id)
	case "model":
		r.URL = "/models/" + url.PathEscape(id)
	case "policy":
		r.URL = "/policies"
	case "export":
		r.URL = "/exports"
	}
	return r
}

func entryPage(c *Context) error {
	n, err := c.index()
	if err != nil {
		return err
	}
	e, err := c.App.AuditEvent(c.Ctx(), c.Caller, n)
	if err != nil {
		return err
	}
	m := views.Entry{Shell: c.shell("audit"), Row: c.eventRow(e.EventView), ID: e.ID, Action: e.Action, Purpose: e.Purpose, Reason: e.Reason, Rules: e.RuleIDs, Policy: e.Policy,
		Leaf: string(e.Leaf), Raw: c.QueryParam("bytes") == "stored", LeafHash: e.LeafHash, Checkpoint: e.Checkpoint,
		ProofFile: "/audit/" + strconv.FormatInt(n, 10) + "/proof", Previous: -1, Next: -1}
	var indented bytes.Buffer
	if err := json.Indent(&indented, e.Leaf, "", "  "); err == nil {
		m.Indented = indented.String()
	}
	if e.Previous != nil {
		m.Previous = *e.Previous
	}
	if e.Next != nil {
		m.Next = *e.Next
	}
	m.Health = c.logHealth(m.Shell)
	m.Proof, m.ProofError = proof(e)
	return c.Page(http.StatusOK, views.EntryPage(m))
}

// proof recomputes the path from the leaf to the root for the drawing, from the
// leaf and the siblings alone.
func proof(e *app.EventDetail) (p chart.Proof, broken bool) {
	p = chart.Proof{Index: e.Index, Size: e.TreeSize, Leaf: e.LeafHash, Signed: hexHash(e.Root)}
	leaf, ok := hash(e.LeafHash)
	if !ok {
		return p, true
	}
	var siblings [][32]byte
	for _, s := range e.Steps {
		h, ok := hash(s.Sibling)
		if !ok {
			return p, true
		}
		siblings = append(siblings, h)
	}
	steps, root, err := chart.ProofPath(e.Index, e.TreeSize, leaf, siblings)
	if err != nil {
		return p, true
	}
	p.Steps, p.Root = steps, root
	return p, false
}

// hash reads a hash in hexadecimal or base64.
func hash(s string) (h [32]byte, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		b, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil || len(b) != 32 {
		return h, false
	}
	return [32]byte(b), true
}

func hexHash(s string) string {
	h, ok := hash(s)
	if !ok {
		return s
	}
	return hex.EncodeToString(h[:])
}

func entryProof(c *Context) error {
	n, err := c.index()
	if err != nil {
		return err
	}
	e, err := c.App.AuditEvent(c.Ctx(), c.Caller, n)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="entry-`+strconv.FormatInt(n, 10)+`.tlog-proof"`)
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(e.Proof))
}

func auditVerify(c *Context) error {
	if _, err := c.App.VerifyLog(c.Ctx(), c.Caller); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/audit")
}
