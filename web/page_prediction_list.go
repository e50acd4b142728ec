package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() { page(http.MethodGet, "/predictions", policy.PredictionRead, predictionsPage) }

func predictionsPage(c *Context) error {
	q := query{c: c}
	f := app.PredictionQuery{Page: q.page(), Model: q.str("model"), Label: q.str("label"), Purpose: q.str("purpose"), Actor: q.str("actor"), After: q.when("after"), Until: q.when("until")}
	if q.err != nil {
		return q.err
	}
	list, err := c.App.Predictions(c.Ctx(), c.Caller, f)
	if err != nil {
		return err
	}
	m := views.Predictions{Shell: c.shell("predictions"), Total: list.Total, Model: f.Model, Label: f.Label}
	addr := m.Shell.URL
	for _, b := range list.Items {
		m.Rows = append(m.Rows, c.predictionRow(b))
	}
	if list.Next != "" {
		m.Older = ui.Set(addr, "before", list.Next)
	}
	if f.Before != "" {
		m.Newest = ui.Set(addr, "before", "")
	}
	for _, name := range []string{"model", "label", "purpose", "actor", "after", "until"} {
		if v := c.QueryParam(name); v != "" {
			m.Filters = append(m.Filters, views.Filter{Text: name + " " + v, Without: ui.Set(addr, name, "", "before", "")})
		}
	}
	// Without the right to read models the list is still useful; only the menu is shorter.
	if models, err := c.App.Models(c.Ctx(), c.Caller); err == nil {
		for _, x := range models {
			m.Models = append(m.Models, views.Choice{Value: x.Name, Text: x.Name, Selected: x.Name == f.Model})
		}
	}
	return c.Page(http.StatusOK, views.PredictionsPage(m))
}

// predictionRow brings a row of a list into the form that pages draw.
func (c *Context) predictionRow(b app.PredictionBrief) views.PredictionRow {
	return views.PredictionRow{
		ID: b.ID, Made: b.Time, Model: modelRef(b.Model), Label: b.Label, Score: b.Score, Excerpt: b.Excerpt, Withheld: b.Withheld, Image: b.Task == "image-classification",
		Purpose: b.Purpose, Actor: c.actor(b.Actor), Masked: b.Masked, Methods: b.Methods,
	}
}

func modelRef(m app.ModelRef) views.ModelRef {
	return views.ModelRef{Name: m.Name, Version: m.Version, Digest: m.Digest}
}
