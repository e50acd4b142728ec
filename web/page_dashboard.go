package web

import (
	"net/http"
	"net/url"
	"time"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() { page(http.MethodGet, "/", SignedIn, dashboard) }

// ranges of the dashboard, in the order of their links.
var ranges = []struct {
	id   string
	span time.Duration
}{{"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"90d", 90 * 24 * time.Hour}}

func dashboard(c *Context) error {
	if c.Request().URL.Path != "/" {
		return errNoRoute
	}
	chosen := 1
	for i, r := range ranges {
		if c.QueryParam("range") == r.id {
			chosen = i
		}
	}
	since := time.Now().UTC().Add(-ranges[chosen].span).Truncate(time.Minute)
	v, err := c.App.Dashboard(c.Ctx(), c.Caller, since)
	if err != nil {
		return err
	}
	m := views.Dashboard{Shell: c.shell("dashboard"), Health: health(v.Health), Since: v.Since,
		Policy: views.PolicyVersion{Version: v.Policy.Version, Time: v.Policy.Time}}
	if m.Policy.Version == 0 {
		m.Policy.Version = m.Shell.PolicyVersion
	}
	for i, r := range ranges {
		m.Ranges = append(m.Ranges, ui.Option{Text: i18n.T(c.Ctx(), "dashboard.range-"+r.id), URL: "/?range=" + r.id, Current: i == chosen})
	}
	for _, b := range v.Recent {
		m.Recent = append(m.Recent, c.predictionRow(b))
		if m.FirstID == "" && len(b.Methods) > 0 {
			m.FirstID = b.ID
		}
	}
	m.Needs = c.needs(v)
	m.Numbers = c.numbers(v, m.Shell)
	if m.Shell.Locked["predictions"] {
		m.Error = i18n.T(c.Ctx(), "refused.say-no-rule-matched", "role", m.Shell.Role, "action", views.ActionName(c.Ctx(), string(policy.PredictionRead)),
			"object", views.ObjectWords(c.Ctx(), "prediction:*"))
	}
	return c.Page(http.StatusOK, views.DashboardPage(m))
}

func health(h app.HealthView) views.Health {
	v := views.Health{Known: !h.Checked.IsZero(), OK: h.OK, Size: h.Size, Pending: h.Pending, Root: hexHash(h.Root), Signed: h.Signed,
		Checked: h.Checked, FirstBad: -1, Problem: h.Problem, Key: h.Key, Origin: h.Origin, Anchor: h.Anchor, AnchorSize: h.AnchorSize}
	if h.AnchorTime != nil {
		v.AnchorTime = *h.AnchorTime
	}
	if h.FirstBad != nil {
		v.FirstBad = *h.FirstBad
	}
	return v
}

// needs are the things that wait for this reader.
func (c *Context) needs(v *app.DashboardView) []views.Need {
	var out []views.Need
	t := func(key string, args ...any) string { return i18n.T(c.Ctx(), key, args...) }
	if !v.Health.Checked.IsZero() && !v.Health.OK {
		out = append(out, views.Need{Kind: "bad", What: t("dashboard.need-log"), Why: v.Health.Problem, URL: "/audit", Open: t("nav.audit")})
	}
	if v.FailedJobs > 0 {
		out = append(out, views.Need{Kind: "bad", What: t("dashboard.need-jobs", "n", v.FailedJobs), Why: t("dashboard.need-jobs-why"), URL: "/exports", Open: t("nav.exports")})
	}
	if v.ExpiringKeys > 0 {
		out = append(out, views.Need{Kind: "warn", What: t("dashboard.need-keys", "n", v.ExpiringKeys), Why: t("dashboard.need-keys-why"), URL: "/help#api", Open: t("nav.help")})
	}
	return out
}

// numbers are the volumes with the lists that give the same numbers. What the
// caller may not see is left out.
func (c *Context) numbers(v *app.DashboardView, s views.Shell) []views.Number {
	hidden := map[string]bool{}
	for _, h := range v.Hidden {
		hidden[h] = true
	}
	after := v.Since.UTC().Format(time.RFC3339)
	list := func(nav, path, name, value string) string {
		if s.Locked[nav] {
			return ""
		}
		return path + "?" + url.Values{name: {value}}.Encode()
	}
	all := []struct {
		views.Number
		hide string
	}{
		{views.Number{Name: "predictions", N: v.Predictions, URL: list("predictions", "/predictions", "after", after)}, "predictions"},
		{views.Number{Name: "explanations", N: v.Explanations, URL: list("audit", "/audit", "q", "kind:EXPLANATION.MADE.OK after:"+after)}, "explanations"},
		{views.Number{Name: "denials", N: v.Denials, URL: list("audit", "/audit", "q", "decision:deny after:"+after)}, "denials"},
		{views.Number{Name: "redactions", N: v.Redactions}, "redactions"},
		{views.Number{Name: "models", N: v.Models, URL: "/models"}, "models"},
	}
	var out []views.Number
	for _, n := range all {
		if !hidden[n.hide] {
			out = append(out, n.Number)
		}
	}
	return out
}
