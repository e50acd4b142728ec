package web

import (
	"net/http"
	"net/url"
	"time"

	"vitrine/views"
	"vitrine/views/ui"
)

// failPage answers a failure on a page: a refusal with its rule, the sign-in
// page for guests, and one sentence for everything else.
func (s *Server) failPage(c *Context, p Problem) error {
	if p.Decision != nil {
		return c.Page(p.Status, views.RefusedPage(c.refusal(p)))
	}
	if p.Status == http.StatusUnauthorized {
		next := "/"
		if c.Request().Method == http.MethodGet {
			next = c.Request().URL.RequestURI()
		}
		if next == "/" {
			return c.Redirect(http.StatusSeeOther, "/signin")
		}
		return c.Redirect(http.StatusSeeOther, "/signin?"+url.Values{"next": {next}}.Encode())
	}
	if p.Code == "proof_required" {
		return c.provePage(p.Status, views.Prove{Next: c.came()})
	}
	e := views.Error{Shell: c.shell(""), Status: p.Status, Code: p.Code}
	if p.Status < http.StatusInternalServerError && p.Status != http.StatusMethodNotAllowed && p.Code != "no_such_page" && p.Code != "not_found" {
		e.What, e.Hint = c.say(p)
	}
	if c.Request().Method == http.MethodGet && p.Status >= http.StatusInternalServerError {
		e.Retry = localPath(c.Request().URL.RequestURI())
	}
	return c.Page(p.Status, views.ErrorPage(e))
}

// refusal is the page of a refusal, with what its reader may do instead.
func (c *Context) refusal(p Problem) views.Refused {
	m := views.Refused{Shell: c.shell(""), Decision: c.decision(*p.Decision), At: time.Now(), LogIndex: -1}
	m.Object = views.ObjectWords(c.Ctx(), p.Decision.Object)
	m.Crumbs = []ui.Crumb{{Text: views.ActionName(c.Ctx(), p.Decision.Action)}}
	if p.Receipt != nil {
		m.Event, m.At = p.Receipt.Event, p.Receipt.Time
		if p.Receipt.Index != nil {
			m.LogIndex = *p.Receipt.Index
		}
	}
	for _, id := range []string{"playground", "predictions", "models", "audit", "policies"} {
		if !m.Shell.Locked[id] {
			m.Instead = append(m.Instead, views.Alternative{Text: views.NavName(c.Ctx(), id), URL: "/" + id})
		}
	}
	return m
}
