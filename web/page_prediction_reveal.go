package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/views"
)

func init() {
	page(http.MethodPost, "/predictions/:id/reveal", policy.PredictionReveal, predictionRevealPage)
}

func predictionRevealPage(c *Context) error {
	id := c.Param("id")
	in, err := c.App.Reveal(c.Ctx(), c.Caller, id, c.FormValue("reason"))
	if err != nil {
		return err
	}
	m, err := c.prediction(id, "", nil)
	if err != nil {
		return err
	}
	m.Revealed = &views.Input{Text: in.Text, Kept: true}
	return c.Page(http.StatusOK, views.PredictionPage(m))
}
