package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

// StopList is when a model was stopped and started again.
type StopList struct {
	Items []app.StopView `json:"items"`
}

func init() {
	closedLists["review-verdicts"] = func() []string { return []string{app.VerdictConfirm, app.VerdictOverride} }
	api(http.MethodPost, "/api/v1/predictions/:id/reviews", policy.PredictionRead, Doc{
		Summary: "Ask people to look at a prediction, or at one explanation of it", Body: app.ReviewRequest{}, Reply: app.ReviewView{}, Status: http.StatusCreated, Extra: []int{http.StatusConflict},
	}, reviewAsk)
	api(http.MethodGet, "/api/v1/reviews", policy.ReviewDecide, Doc{
		Summary: "The review queue, oldest first, or what was decided, newest first; with agreement and time on task", Reply: app.ReviewList{},
		Query: append([]Arg{choice("state", "waiting (the default) or decided", "waiting", "decided")}, pageArgs("ulid")...),
	}, reviewList)
	api(http.MethodGet, "/api/v1/reviews/:id", policy.ReviewDecide, Doc{Summary: "One review", Reply: app.ReviewView{}}, reviewGet)
	api(http.MethodPost, "/api/v1/reviews/:id/start", policy.ReviewDecide, Doc{
		Summary: "Take a case; the time on task counts from here", Reply: app.ReviewView{}, Extra: []int{http.StatusConflict}}, reviewStart)
	api(http.MethodPost, "/api/v1/reviews/:id", policy.ReviewDecide, Doc{
		Summary: "Confirm or override what the caller started to review", Body: app.ReviewDecision{}, Reply: app.ReviewView{}, Extra: []int{http.StatusConflict}}, reviewDecide)

	api(http.MethodGet, "/api/v1/models/:name/stops", policy.ModelRead, Doc{Summary: "When a model was stopped and started again, newest first", Reply: StopList{}}, stopList)
	// Whoever may approve models or decide reviews: the use case asks for either.
	api(http.MethodPost, "/api/v1/models/:name/stop", SignedIn, Doc{
		Summary: "Stop every version of a model at once; for whoever approves models or decides reviews", Body: app.StopRequest{}, Reply: app.StopView{}, Extra: []int{http.StatusForbidden, http.StatusConflict, http.StatusNotFound},
	}, modelStop)
	api(http.MethodPost, "/api/v1/models/:name/start", policy.ModelApprove, Doc{
		Summary: "Let a stopped model run again", Body: app.StopRequest{}, Reply: app.StopView{}, Extra: []int{http.StatusConflict, http.StatusNotFound}}, modelStart)
}

func reviewAsk(c *Context) error {
	var r app.ReviewRequest
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.AskReview(c.Ctx(), c.Caller, c.param("id"), r)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/api/v1/reviews/"+v.ID)
	return c.JSON(http.StatusCreated, v)
}

func reviewList(c *Context) error {
	q := query{c: c}
	state, p := q.oneOf("state", "waiting", "decided"), q.page()
	if q.err != nil {
		return q.err
	}
	v, err := c.App.Reviews(c.Ctx(), c.Caller, state == "decided", p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func reviewGet(c *Context) error {
	v, err := c.App.Review(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func reviewStart(c *Context) error {
	v, err := c.App.StartReview(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func reviewDecide(c *Context) error {
	var r app.ReviewDecision
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.DecideReview(c.Ctx(), c.Caller, c.param("id"), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func stopList(c *Context) error {
	v, err := c.App.Stops(c.Ctx(), c.Caller, c.param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, StopList{v})
}

func modelStop(c *Context) error {
	var r app.StopRequest
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.StopModel(c.Ctx(), c.Caller, c.param("name"), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func modelStart(c *Context) error {
	var r app.StopRequest
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.StartModel(c.Ctx(), c.Caller, c.param("name"), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}
