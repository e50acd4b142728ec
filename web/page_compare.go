package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/predictions/:id/compare", policy.PredictionRead, comparePage)
	api(http.MethodGet, "/api/v1/predictions/:id/comparison", policy.PredictionRead, Doc{
		Summary: "The explanations of a prediction side by side: methods × figures, agreement of each pair, and where they differ",
		Reply:   app.ComparisonView{}, Query: []Arg{text("target", "a label; empty = that of the newest explanation")}}, comparisonGet)
}

func comparisonGet(c *Context) error {
	v, err := c.App.Compare(c.Ctx(), c.Caller, c.param("id"), c.QueryParam("target"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func comparePage(c *Context) error {
	v, err := c.App.Compare(c.Ctx(), c.Caller, c.Param("id"), c.QueryParam("target"))
	if err != nil {
		return err
	}
	m := views.Comparison{Shell: c.shell("predictions"), Prediction: v.Prediction, Target: v.Target, Tau: v.Tau, Top: v.Top, Sign: v.Sign, Withheld: v.Withheld, Other: v.Other,
		Only: c.QueryParam("show") == "differences"}
	for _, x := range v.Methods {
		method := views.ComparedMethod{ID: x.Method, Explanation: x.Explanation, Signed: x.Signed}
		for _, f := range x.Metrics {
			method.Figures = append(method.Figures, views.Figure{ID: f.ID, Mode: f.Mode, Value: f.Value, Control: f.Control, P: f.P, Higher: f.Higher, Exact: f.ID == "completeness"})
		}
		m.Methods = append(m.Methods, method)
	}
	for _, u := range v.Units {
		if !m.Only || u.Differs {
			m.Units = append(m.Units, views.ComparedUnit(u))
		}
	}
	m.All = len(v.Units)
	addr := c.Request().URL.RequestURI()
	m.Choices = []ui.Option{
		{Text: i18n.T(c.Ctx(), "compare.all"), URL: ui.Set(addr, "show", "") + "#words", Current: !m.Only},
		{Text: i18n.T(c.Ctx(), "compare.only"), URL: ui.Set(addr, "show", "differences") + "#words", Current: m.Only},
	}
	return c.Page(http.StatusOK, views.ComparePage(m))
}
