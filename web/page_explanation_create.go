package web

import (
	"net/http"
	"strconv"

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
	r := app.ExplainRequest{Method: method, Params: params(form, method), Target: form.Get("target"), RequestID: c.RequestID}
	wordRequest(&r, form)
	e, job, err := c.App.ExplainSoon(c.Ctx(), c.Caller, id, r)
	if err == nil && job != nil {
		return c.Redirect(http.StatusSeeOther, "/jobs/"+job.ID)
	}
	if err == nil {
		to := "/predictions/" + id + "?e=" + e.ID
		if e.Target.Words > 0 && e.Target.Index >= 0 {
			to += "&w=" + strconv.Itoa(e.Target.Index) + "#answer"
		}
		return c.Redirect(http.StatusSeeOther, to)
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
