package web

import (
	"net/http"
	"strings"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/exports", policy.Export, exportsPage)
	page(http.MethodPost, "/exports", policy.Export, exportMake)
	page(http.MethodGet, "/exports/:id/file", policy.Export, exportFile)
	page(http.MethodPost, "/exports/:id/cancel", policy.Export, exportStop)
}

// kindGroups are the choices of the export form: the first words of the codes.
var kindGroups = []string{"PREDICTION", "EXPLANATION", "SESSION", "POLICY", "MODEL", "EXPORT", "USER", "KEY", "AUDIT", "LOG"}

func exportsPage(c *Context) error {
	m, err := c.exports()
	if err != nil {
		return err
	}
	if c.IsHTMX() {
		return c.Page(http.StatusOK, views.ExportList(m))
	}
	return c.Page(http.StatusOK, views.ExportsPage(m))
}

func (c *Context) exports() (views.Exports, error) {
	q := query{c: c}
	p := q.page()
	if q.err != nil {
		return views.Exports{}, q.err
	}
	list, next, err := c.App.Exports(c.Ctx(), c.Caller, p)
	if err != nil {
		return views.Exports{}, err
	}
	m := views.Exports{Shell: c.shell("exports"), Format: c.FormValue("format"), From: c.FormValue("after"), To: c.FormValue("until"), Kind: c.FormValue("kind")}
	for _, x := range list {
		m.Rows = append(m.Rows, views.ExportRow{ID: x.ID, Format: x.Format, Status: x.Status, Done: x.Done, Total: x.Total, Bytes: x.Bytes, SHA256: x.SHA256,
			FileName: x.FileName, Created: x.Created, Actor: c.actor(x.Actor), Error: x.Error})
	}
	for _, k := range kindGroups {
		m.Kinds = append(m.Kinds, views.Choice{Value: k, Text: i18n.Or(c.Ctx(), "name.kind-"+k, k), Selected: k == m.Kind})
	}
	if next != "" {
		m.Older = "/exports?before=" + next
	}
	return m, nil
}

func exportMake(c *Context) error {
	r := app.ExportRequest{Format: c.FormValue("format"), Language: c.Lang, RequestID: c.RequestID}
	r.Kind = strings.TrimSpace(c.FormValue("kind"))
	err := error(nil)
	for _, f := range []struct {
		name string
		set  func(string) bool
	}{
		{"after", func(s string) (ok bool) { r.After, ok = moment(s); return ok }},
		{"until", func(s string) (ok bool) { r.Until, ok = moment(s); return ok }},
	} {
		if v := c.FormValue(f.name); v != "" && !f.set(v) {
			err = invalid("“"+v+"” is not a date", "write it like 2026-11-24")
		}
	}
	if err == nil {
		_, err = c.App.StartExport(c.Ctx(), c.Caller, r)
	}
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/exports#made")
	}
	p := problem(err, c.RequestID)
	if p.Decision != nil || p.Status == http.StatusInternalServerError {
		return err
	}
	m, lerr := c.exports()
	if lerr != nil {
		return lerr
	}
	m.Error, m.Hint = c.say(p)
	return c.Page(p.Status, views.ExportsPage(m))
}

func exportStop(c *Context) error {
	if err := c.App.CancelExport(c.Ctx(), c.Caller, c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/exports")
}
