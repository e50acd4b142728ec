package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

func init() {
	page(http.MethodPost, "/predictions/:id/explanations", policy.Explain, predictionExplain)
}

func predictionExplain(c *Context) error {
	form, err := c.FormParams()
	if err != nil {
		return invalid("the form cannot be read", "send it again from the page")
	}
	id := c.Param("id")
	method := form.Get("method")
	if method == "" {
		return invalid("no method was chosen", "pick one of the methods of the form")
	}
	e, err := c.App.Explain(c.Ctx(), c.Caller, id, app.ExplainRequest{Method: method, Params: params(form, method), Target: form.Get("target"), RequestID: c.RequestID})
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/predictions/"+id+"?e="+e.ID)
	}
	p := problem(err, c.RequestID)
	if p.Status >= http.StatusInternalServerError || p.Status == http.StatusNotFound {
		return err
	}
	m, err := c.prediction(id, "", form)
	if err != nil {
		return err
	}
	if p.Decision != nil {
		d := c.decision(*p.Decision)
		d.Request.Context.Method = method
		m.Denied = &d
	} else {
		m.Error, m.Hint = c.say(p)
	}
	return c.Page(p.Status, views.PredictionPage(m))
}
