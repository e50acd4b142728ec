package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

// navActions are the actions that the pages of the navigation need.
var navActions = map[string]struct{ action, object string }{
	"playground":  {string(policy.Predict), "model:*"},
	"predictions": {string(policy.PredictionRead), "prediction:*"},
	"reviews":     {string(policy.ReviewDecide), "prediction:*"},
	"audit":       {string(policy.AuditRead), "audit:*"},
	"exports":     {string(policy.Export), "audit:*"},
	"policies":    {string(policy.PolicyRead), "policy:*"},
	"models":      {string(policy.ModelRead), "model:*"},
	"people":      {string(policy.UserManage), "user:*"},
}

// shell is the frame of a page for this caller.
func (c *Context) shell(nav string) views.Shell {
	s := views.Shell{
		Lang: c.Lang, Theme: c.Theme, Palette: c.preference("palette"), Density: c.preference("density"), URL: c.Request().URL.RequestURI(), Nav: nav,
		Workspace: i18n.T(c.Ctx(), "ui.workspace-name"), Demo: c.server.cfg.Demo, RequestID: c.RequestID, Version: Version,
	}
	if c.Request().Method != http.MethodGet {
		s.URL = "/" + strings.TrimPrefix(nav, "dashboard")
	}
	if c.App == nil {
		return s
	}
	st := c.App.Status(c.Ctx())
	s.LogSize, s.PolicyVersion, s.LogVerified, s.Anchor = st.Size, st.Policy, st.Checked, st.Anchor
	if !st.Checked.IsZero() {
		s.LogState = "ok"
		if !st.OK {
			s.LogState = "bad"
		}
	}
	if c.Caller.ID == "" {
		return s
	}
	s.User, s.Role = c.Caller.Name, mainRole(c.Caller.Roles)
	s.Locked = map[string]bool{}
	for nav, need := range navActions {
		if c.App.May(c.Ctx(), c.Caller, need.action, need.object).Effect != policy.EffectAllow {
			s.Locked[nav] = true
		}
	}
	return s
}

// mainRole is the caller's widest role, for data-role and the name beside the
// user; the later in this list, the wider.
func mainRole(roles []string) string {
	best := ""
	for _, known := range policy.Roles {
		for _, r := range roles {
			if strings.TrimPrefix(r, "role:") == known {
				best = known
			}
		}
	}
	return best
}

// preference is a display choice: the address first, then the cookie.
func (c *Context) preference(name string) string {
	v := c.CookieValue(name)
	if slices.Contains(preferences[name], v) {
		return v
	}
	return ""
}

// preferences are the display choices that a link can set, and their values.
var preferences = map[string][]string{
	"lang":    i18n.Languages,
	"theme":   {"light", "dark"},
	"palette": {"purple-green", "pattern"},
	"density": {"compact"},
}

// prefer takes display choices out of a page's address, keeps them in cookies,
// and sends the browser to the address without them: the links work without
// script, and a copied address carries nobody's taste.
func (s *Server) prefer(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		c, ok := contextOf(ec)
		if !ok {
			return errNoContext
		}
		r := c.Request()
		if r.Method != http.MethodGet || isAPI(r.URL.Path) || strings.HasPrefix(r.URL.Path, "/hf/") {
			return next(ec)
		}
		q := r.URL.Query()
		found := false
		for name, values := range preferences {
			if !q.Has(name) {
				continue
			}
			found = true
			v := q.Get(name)
			q.Del(name)
			if slices.Contains(values, v) {
				c.Keep(name, v, 365*24*time.Hour)
			} else {
				c.Keep(name, "", -1)
			}
		}
		if !found {
			return next(ec)
		}
		to := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.Redirect(http.StatusSeeOther, localPath(to.String()))
	}
}

// localPath keeps a redirect on this server: anything but a plain path is the
// dashboard.
func localPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return "/"
	}
	return p
}

// decision brings a decision of the use cases into the form that pages draw.
func (c *Context) decision(d app.DecisionView) policy.Decision {
	return policy.Decision{
		Allow: d.Effect == policy.EffectAllow, Effect: d.Effect, Reason: d.Reason, Rule: d.Rule, RuleIDs: d.RuleIDs, RolePath: d.RolePath,
		Nearest: d.Nearest, Lacked: d.Lacked, PolicyVersion: d.PolicyVersion, PolicyHash: d.PolicyHash, Obligations: d.Obligations,
		Request: policy.Request{
			Subject: policy.Subject{ID: c.Caller.ID, Roles: c.Caller.Roles}, Action: policy.Action(d.Action), Object: d.Object,
			Context: policy.Context{Purpose: d.Purpose, Auth: c.Caller.Auth},
		},
	}
}

// storedDecision is a decision about somebody's earlier request: who it was is
// not the reader.
func (c *Context) storedDecision(d app.DecisionView, actor string) policy.Decision {
	p := c.decision(d)
	if actor != c.Caller.ID {
		p.Request.Subject = policy.Subject{ID: actor}
		p.Request.Context.Auth = ""
		if len(d.RolePath) > 1 {
			p.Request.Subject.Roles = d.RolePath[1:]
		}
	}
	return p
}

// actor names who did something: the reader by name, others by their opaque id.
func (c *Context) actor(id string) string {
	if id == c.Caller.ID && c.Caller.Name != "" {
		return c.Caller.Name
	}
	return views.ShortRef(id)
}
