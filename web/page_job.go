package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/jobs", SignedIn, jobsPage)
	page(http.MethodGet, "/jobs/:id", SignedIn, jobPage)
	page(http.MethodPost, "/jobs/:id/cancel", SignedIn, jobStop)
	page(http.MethodGet, "/batch", policy.Predict, batchPage)
	upload(http.MethodPost, "/batch", policy.Predict, batchMake)
	page(http.MethodPost, "/explanations/:id/replay", policy.Explain, replayPage)
}

func jobsPage(c *Context) error {
	q := query{c: c}
	p := q.page()
	if q.err != nil {
		return q.err
	}
	list, err := c.App.Tasks(c.Ctx(), c.Caller, p)
	if err != nil {
		return err
	}
	m := views.Jobs{Shell: c.shell("jobs")}
	for _, x := range list.Items {
		m.Rows = append(m.Rows, c.jobRow(&x))
	}
	if list.Next != "" {
		m.Older = "/jobs?before=" + list.Next
	}
	if c.IsHTMX() {
		return c.Page(http.StatusOK, views.JobList(m))
	}
	return c.Page(http.StatusOK, views.JobsPage(m))
}

func (c *Context) jobRow(x *app.TaskView) views.JobRow {
	return views.JobRow{ID: x.ID, Kind: x.Kind, Status: x.Status, Done: x.Done, Total: x.Total, Unit: x.Unit, Remaining: x.Remaining, Created: x.Created,
		Model: x.Model, Method: x.Method, Actor: c.actor(x.Actor), Prediction: x.Prediction, Object: x.Object, Error: x.Error}
}

func jobPage(c *Context) error {
	x, err := c.App.Task(c.Ctx(), c.Caller, c.Param("id"))
	if err != nil {
		return err
	}
	m := views.Job{Shell: c.shell("jobs"), Row: c.jobRow(x)}
	if err := c.jobFound(&m, x); err != nil {
		return err
	}
	if c.IsHTMX() {
		return c.Page(http.StatusOK, views.JobPart(m))
	}
	return c.Page(http.StatusOK, views.JobPage(m))
}

// jobFound adds what a finished job found, for the one who asked for it.
func (c *Context) jobFound(m *views.Job, x *app.TaskView) error {
	if x.Status != "done" || x.Kind == "explanation" || x.Actor != c.Caller.ID {
		return nil
	}
	raw, err := c.App.TaskResult(c.Ctx(), c.Caller, x.ID)
	if errors.Is(err, app.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch x.Kind {
	case "batch":
		var r app.BatchResult
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("web: reading the result of a job: %w", err)
		}
		m.Batch = batch(&r)
	case "sanity":
		var s explain.Sanity
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("web: reading the result of a job: %w", err)
		}
		m.Sanity = &views.SanityOutcome{Passed: s.Passed, Spearman: s.Figure.Value}
		for _, x := range s.Steps {
			m.Sanity.Steps = append(m.Sanity.Steps, views.SanityStep{Replaced: x.Replaced, Spearman: x.Spearman})
		}
	}
	return nil
}

func batch(r *app.BatchResult) *views.Batch {
	b := &views.Batch{Total: batchGroup(r.Total), ECE: r.ECE, Problems: counts(r.Problems), Gate: counts(r.Gate)}
	for _, g := range r.Labels {
		b.Labels = append(b.Labels, batchGroup(g))
	}
	for _, g := range r.Slices {
		b.Slices = append(b.Slices, batchGroup(g))
	}
	for _, x := range r.Confusion {
		b.Confusion = append(b.Confusion, views.BatchCell(x))
	}
	for _, x := range r.Calibration {
		b.Calibration = append(b.Calibration, views.BatchBin(x))
	}
	return b
}

func counts(m map[string]int) (out []views.NameValue) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, views.NameValue{Name: k, Value: strconv.Itoa(m[k])})
	}
	return out
}

func batchGroup(g app.BatchGroup) views.BatchGroup {
	out := views.BatchGroup{Name: g.Name, Rows: g.Rows, Failed: g.Failed, Labelled: g.Labelled, Right: g.Right, Explained: g.Explained, Confidence: g.Confidence, Words: g.Words}
	for _, t := range g.Tokens {
		out.Tokens = append(out.Tokens, views.BatchToken(t))
	}
	for _, f := range g.Figures {
		out.Figures = append(out.Figures, views.BatchFigure{ID: f.ID, Mode: f.Mode, Higher: f.Higher, Rows: f.Rows, Mean: f.Mean, Control: f.Control,
			Low: f.Low, Median: f.Median, High: f.High, Better: f.Better})
	}
	return out
}

func jobStop(c *Context) error {
	if _, err := c.App.CancelTask(c.Ctx(), c.Caller, c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/jobs/"+c.Param("id"))
}

func batchPage(c *Context) error {
	m, err := c.batchForm()
	if err != nil {
		return err
	}
	return c.Page(http.StatusOK, views.BatchPage(m))
}

func (c *Context) batchForm() (views.BatchForm, error) {
	m := views.BatchForm{Shell: c.shell("jobs"), Methods: []views.Choice{{Text: i18n.T(c.Ctx(), "jobs.no-method")}}}
	list, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return m, err
	}
	for _, x := range list {
		name := x.Name + "@" + x.Version
		m.Models = append(m.Models, views.Choice{Value: name, Text: name, Selected: c.FormValue("model") == name})
	}
	for _, p := range policy.Purposes {
		m.Purposes = append(m.Purposes, views.Choice{Value: p, Text: views.PurposeName(c.Ctx(), p), Selected: c.FormValue("purpose") == p})
	}
	for _, id := range explain.IDs() {
		m.Methods = append(m.Methods, views.Choice{Value: id, Text: views.MethodName(c.Ctx(), id), Selected: c.FormValue("method") == id})
	}
	return m, nil
}

func batchMake(c *Context) error {
	r := app.BatchRequest{Model: c.FormValue("model"), Purpose: c.FormValue("purpose"), RequestID: c.RequestID}
	if id := c.FormValue("method"); id != "" {
		r.Explain = &app.ExplainRequest{Method: id}
	}
	file, err := c.FormFile("data")
	if err != nil {
		return c.batchAgain(invalid("no data set was sent", "choose a file"))
	}
	src, err := file.Open()
	if err != nil {
		return c.batchAgain(invalid("the data set cannot be read", "choose the file again"))
	}
	defer src.Close()
	if r.Data, err = io.ReadAll(io.LimitReader(src, imageBody)); err != nil {
		return c.batchAgain(invalid("the data set cannot be read", "choose the file again"))
	}
	r.Format = strings.TrimPrefix(strings.ToLower(path.Ext(file.Filename)), ".")
	v, err := c.App.StartBatch(c.Ctx(), c.Caller, r)
	if err != nil {
		return c.batchAgain(err)
	}
	return c.Redirect(http.StatusSeeOther, "/jobs/"+v.ID)
}

// batchAgain shows the form again and says why nothing was started.
func (c *Context) batchAgain(err error) error {
	p := problem(err, c.RequestID)
	if p.Decision != nil || p.Status >= http.StatusInternalServerError {
		return err
	}
	m, ferr := c.batchForm()
	if ferr != nil {
		return ferr
	}
	m.Error, m.Hint = c.say(p)
	return c.Page(p.Status, views.BatchPage(m))
}

func replayPage(c *Context) error {
	v, err := c.App.ReplayExplanation(c.Ctx(), c.Caller, c.Param("id"))
	if err != nil {
		return err
	}
	m := views.Replay{Shell: c.shell("predictions"), Explanation: v.Explanation, Prediction: v.Prediction, Method: v.Method, Identical: v.Identical, Ran: v.Ran,
		Digest: v.Digest, Hash: v.RecordHash, Event: v.Receipt.Event}
	for _, d := range v.Differences {
		m.Differences = append(m.Differences, views.ReplayDifference(d))
	}
	return c.Page(http.StatusOK, views.ReplayPage(m))
}
