package web

import (
	"encoding/json"
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

// sanityBody names the method that is checked.
type sanityBody struct {
	Method string `json:"method" schema:"list=methods"`
}

// SanityList is the outcomes of the randomisation checks of a model.
type SanityList struct {
	Items []app.SanityView `json:"items"`
}

func init() {
	api(http.MethodPost, "/api/v1/predictions/:id/jobs", policy.Explain, Doc{
		Summary: "Explain a prediction by one method, by a job: for costly methods", Body: explainBody{}, Reply: app.TaskView{}, Status: http.StatusAccepted,
		Extra: []int{http.StatusConflict, http.StatusInsufficientStorage},
	}, explanationQueue)
	api(http.MethodPost, "/api/v1/explanations/:id/replay", policy.Explain, Doc{
		Summary: "Make a recorded explanation again: identical bits, or different because of what is named; recorded", Reply: app.ReplayView{}}, explanationReplay)
	api(http.MethodGet, "/api/v1/models/:name/checks", policy.ModelRead, Doc{
		Summary: "Which methods passed the check with randomised weights on a model", Reply: SanityList{}, Extra: []int{http.StatusNotFound}}, sanityList)
	api(http.MethodPost, "/api/v1/models/:name/checks", policy.Explain, Doc{
		Summary: "Check a method on a model with randomised weights, by a job; once for each version of both", Body: sanityBody{}, Reply: app.TaskView{}, Status: http.StatusAccepted,
		Extra: []int{http.StatusConflict, http.StatusNotFound}}, sanityStart)
	// One's own jobs; those of others for whoever manages jobs, which the use case asks.
	api(http.MethodGet, "/api/v1/jobs", SignedIn, Doc{Summary: "Jobs, newest first: one's own, or all for whoever manages jobs", Reply: app.TaskList{}, Query: pageArgs("ulid")}, jobList)
	api(http.MethodGet, "/api/v1/jobs/:id", SignedIn, Doc{Summary: "One job: how far it is, and what is left", Reply: app.TaskView{}, Extra: []int{http.StatusForbidden, http.StatusNotFound}}, jobGet)
	api(http.MethodGet, "/api/v1/jobs/:id/result", SignedIn, Doc{
		Summary: "What a finished job found", Reply: json.RawMessage{}, Extra: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict}}, jobResult)
	api(http.MethodDelete, "/api/v1/jobs/:id", SignedIn, Doc{
		Summary: "Cancel a job under way; what it made so far stays", Reply: app.TaskView{}, Extra: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict}}, jobCancel)
}

func (c *Context) accepted(v *app.TaskView, err error) error {
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/api/v1/jobs/"+v.ID)
	return c.JSON(http.StatusAccepted, v)
}

func explanationQueue(c *Context) error {
	var b explainBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	return c.accepted(c.App.StartExplanation(c.Ctx(), c.Caller, c.param("id"), b.request(c)))
}

func explanationReplay(c *Context) error {
	v, err := c.App.ReplayExplanation(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func sanityList(c *Context) error {
	items, err := c.App.SanityChecks(c.Ctx(), c.Caller, c.param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, SanityList{items})
}

func sanityStart(c *Context) error {
	var b sanityBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	return c.accepted(c.App.StartSanity(c.Ctx(), c.Caller, c.param("name"), b.Method))
}

func jobList(c *Context) error {
	q := query{c: c}
	p := q.page()
	if q.err != nil {
		return q.err
	}
	v, err := c.App.Tasks(c.Ctx(), c.Caller, p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func jobGet(c *Context) error {
	v, err := c.App.Task(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func jobResult(c *Context) error {
	v, err := c.App.TaskResult(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func jobCancel(c *Context) error {
	v, err := c.App.CancelTask(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}
