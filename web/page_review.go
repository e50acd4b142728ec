package web

import (
	"net/http"
	"net/url"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/reviews", policy.ReviewDecide, reviewsPage)
	page(http.MethodGet, "/reviews/:id", policy.ReviewDecide, reviewPage)
	page(http.MethodPost, "/reviews/:id", policy.ReviewDecide, reviewDecidePage)
	page(http.MethodPost, "/reviews/:id/start", policy.ReviewDecide, reviewStartPage)
	page(http.MethodPost, "/predictions/:id/reviews", policy.PredictionRead, reviewAskPage)
	page(http.MethodPost, "/models/:name/stop", SignedIn, modelStopPage)
	page(http.MethodPost, "/models/:name/start", policy.ModelApprove, modelStartPage)
}

// review is a case as pages show it.
func (c *Context) review(v *app.ReviewView) views.Review {
	r := views.Review{ID: v.ID, Made: v.Time, Prediction: v.Prediction, Explanation: v.Explanation, Model: v.Model, Actor: c.actor(v.Actor), Cause: v.Cause, Codes: v.Codes,
		Reason: v.Reason, State: v.State, Reviewer: c.actor(v.Reviewer), Mine: v.Reviewer == c.Caller.ID, Label: v.Label, Comment: v.Comment, Erased: v.Erased, Labels: v.Labels}
	if v.Decided != nil {
		r.Decided = *v.Decided
	}
	return r
}

func reviewFigures(f app.ReviewFigures) views.ReviewFigures {
	v := views.ReviewFigures{Waiting: f.Waiting, Confirmed: f.Confirmed, Overridden: f.Overridden, Quick: f.Quick, Agreement: -1, Seconds: -1}
	if f.Agreement != nil {
		v.Agreement, v.Seconds = *f.Agreement, *f.Seconds
	}
	if f.Oldest != nil {
		v.Oldest = *f.Oldest
	}
	return v
}

func reviewsPage(c *Context) error {
	q := query{c: c}
	p := q.page()
	if q.err != nil {
		return q.err
	}
	m := views.Reviews{Shell: c.shell("reviews"), Decided: c.QueryParam("state") == "decided"}
	list, err := c.App.Reviews(c.Ctx(), c.Caller, m.Decided, p)
	if err != nil {
		return err
	}
	for i := range list.Items {
		m.Rows = append(m.Rows, c.review(&list.Items[i]))
	}
	if list.Next != "" {
		m.Next = "/reviews?before=" + list.Next
		if m.Decided {
			m.Next += "&state=decided"
		}
	}
	m.All, m.Own = reviewFigures(list.Figures), reviewFigures(list.Own)
	return c.Page(http.StatusOK, views.ReviewsPage(m))
}

func reviewPage(c *Context) error { return c.reviewCase(nil) }

// reviewCase shows a case, with what went wrong before.
func (c *Context) reviewCase(cause error) error {
	v, err := c.App.Review(c.Ctx(), c.Caller, c.Param("id"))
	if err != nil {
		return err
	}
	m, status := views.ReviewCase{Shell: c.shell("reviews"), Review: c.review(v)}, http.StatusOK
	if cause != nil {
		p := problem(cause, c.RequestID)
		if p.Decision != nil || p.Status == http.StatusInternalServerError {
			return cause
		}
		m.Error, m.Hint = c.say(p)
		m.Said, status = c.FormValue("reason"), p.Status
	}
	return c.Page(status, views.ReviewCasePage(m))
}

func reviewStartPage(c *Context) error {
	if _, err := c.App.StartReview(c.Ctx(), c.Caller, c.Param("id")); err != nil {
		return c.reviewCase(err)
	}
	return c.Redirect(http.StatusSeeOther, "/reviews/"+c.Param("id"))
}

func reviewDecidePage(c *Context) error {
	r := app.ReviewDecision{Verdict: c.FormValue("verdict"), Label: c.FormValue("label"), Reason: c.FormValue("reason"), RequestID: c.RequestID}
	if r.Verdict == app.VerdictConfirm {
		r.Label = "" // the list of labels stands beside both choices
	}
	if _, err := c.App.DecideReview(c.Ctx(), c.Caller, c.Param("id"), r); err != nil {
		return c.reviewCase(err)
	}
	return c.Redirect(http.StatusSeeOther, "/reviews/"+c.Param("id"))
}

func reviewAskPage(c *Context) error {
	id := c.Param("id")
	if _, err := c.App.AskReview(c.Ctx(), c.Caller, id, app.ReviewRequest{Explanation: c.FormValue("explanation"), Reason: c.FormValue("reason"), RequestID: c.RequestID}); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/predictions/"+id+"#reviews")
}

// stop is the stop button of a model as it stands for the caller.
func (c *Context) stop(x *app.ModelView) (views.Stop, error) {
	object := "model:" + x.Name
	s := views.Stop{MayStart: c.App.May(c.Ctx(), c.Caller, string(policy.ModelApprove), object).Effect == policy.EffectAllow}
	s.MayStop = s.MayStart || c.App.May(c.Ctx(), c.Caller, string(policy.ReviewDecide), "").Effect == policy.EffectAllow
	list, err := c.App.Stops(c.Ctx(), c.Caller, x.Name)
	for _, v := range list {
		n := views.StopNote{At: v.Stopped, By: c.actor(v.By), Reason: v.Reason, Why: v.StartedReason}
		if v.Started == nil {
			s.Now = &n
			continue
		}
		n.Ended = *v.Started
		s.Before = append(s.Before, n)
	}
	return s, err
}

func modelStopPage(c *Context) error {
	name := c.param("name")
	if _, err := c.App.StopModel(c.Ctx(), c.Caller, name, app.StopRequest{Reason: c.FormValue("reason"), RequestID: c.RequestID}); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/models/"+url.PathEscape(name))
}

func modelStartPage(c *Context) error {
	name := c.param("name")
	if _, err := c.App.StartModel(c.Ctx(), c.Caller, name, app.StopRequest{Reason: c.FormValue("reason"), RequestID: c.RequestID}); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/models/"+url.PathEscape(name))
}
