package web

import (
	"net/http"
	"slices"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

// Every kind of report asks the policy for its own action; the page shows those that the
// caller may make.
func init() {
	page(http.MethodGet, "/reports", SignedIn, reportsPage)
	page(http.MethodPost, "/reports", SignedIn, reportShow)
	page(http.MethodPost, "/reports/file", SignedIn, reportFile)
}

// reports is the page with what the form holds.
func (c *Context) reports() views.Reports {
	m := views.Reports{Shell: c.shell("reports"), Depth: c.FormValue("depth"), Subject: c.FormValue("subject"), From: c.FormValue("after"), To: c.FormValue("until"), Told: c.FormValue("told")}
	for _, k := range app.ReportKinds() {
		if c.App.May(c.Ctx(), c.Caller, string(k.Action), k.Action.Object("")).Effect == policy.EffectAllow {
			m.Kinds = append(m.Kinds, views.ReportChoice{ID: k.ID, Subject: k.Subject, Depths: k.Depths})
		}
	}
	at := slices.IndexFunc(m.Kinds, func(k views.ReportChoice) bool { return k.ID == c.FormValue("kind") })
	if len(m.Kinds) > 0 {
		m.Kind = m.Kinds[max(at, 0)]
	}
	if m.Kind.Subject == "model" {
		if list, err := c.App.Models(c.Ctx(), c.Caller); err == nil {
			for _, x := range list {
				ref := x.Name + "@" + x.Version
				m.Models = append(m.Models, views.Choice{Value: ref, Text: x.Name + " " + x.Version, Selected: ref == m.Subject || x.Name == m.Subject})
			}
		}
	}
	return m
}

func reportsPage(c *Context) error { return c.Page(http.StatusOK, views.ReportsPage(c.reports())) }

// asked is the report that a form asks for.
func (c *Context) asked() (app.ReportRequest, error) {
	r := app.ReportRequest{Kind: c.FormValue("kind"), Depth: c.FormValue("depth"), Subject: c.FormValue("subject"), Told: c.FormValue("told"), RequestID: c.RequestID}
	for name, to := range map[string]func(string) bool{
		"after": func(s string) (ok bool) { r.After, ok = moment(s); return ok },
		"until": func(s string) (ok bool) { r.Until, ok = moment(s); return ok },
	} {
		if v := c.FormValue(name); v != "" && !to(v) {
			return r, invalid("“"+v+"” is not a date", "write it like 2026-11-24")
		}
	}
	return r, nil
}

func reportShow(c *Context) error {
	r, err := c.asked()
	m := c.reports()
	if err == nil {
		m.Document, err = c.App.Report(c.Ctx(), c.Caller, r)
	}
	if err == nil {
		if m.Hash, err = m.Document.Hash(); err != nil {
			return err
		}
		return c.Page(http.StatusOK, views.ReportsPage(m))
	}
	p := problem(err, c.RequestID)
	if p.Decision != nil || p.Status == http.StatusInternalServerError {
		return err
	}
	m.Error, m.Hint = c.say(p)
	return c.Page(p.Status, views.ReportsPage(m))
}

func reportFile(c *Context) error {
	r, err := c.asked()
	if err != nil {
		return err
	}
	d, err := c.App.Report(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	lang := c.Lang
	if !slices.Contains(i18n.Languages, lang) {
		lang = i18n.Languages[0]
	}
	return c.report(d, c.FormValue("format"), lang)
}
