package web

import (
	"net/http"
	"time"

	"vitrine/policy"
	"vitrine/web/app"
)

// exportBody asks for a file of log entries.
type exportBody struct {
	Format   string     `json:"format" schema:"list=formats"`
	Kind     string     `json:"kind,omitempty" schema:"pattern=kinds"`
	Actor    string     `json:"actor,omitempty" schema:"maxLength=100"`
	Model    string     `json:"model,omitempty" schema:"maxLength=200"`
	Decision string     `json:"decision,omitempty" schema:"enum=|allow|deny"`
	After    *time.Time `json:"after,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	From     *int64     `json:"from,omitempty" schema:"minimum=0"`
	To       *int64     `json:"to,omitempty" schema:"minimum=0"`
	Language string     `json:"language,omitempty" schema:"list=languages"`
}

// ExportList is one part of the exports.
type ExportList struct {
	Items []app.ExportView `json:"items"`
	Next  string           `json:"next,omitempty"`
}

func init() {
	api(http.MethodPost, "/api/v1/exports", policy.Export, Doc{
		Summary: "Export log entries as CSV, JSONL or an evidence pack; over 10,000 entries as a job", Body: exportBody{}, Reply: app.ExportView{}, Status: http.StatusCreated, Extra: []int{http.StatusInsufficientStorage},
	}, exportCreate)
	api(http.MethodGet, "/api/v1/exports", policy.Export, Doc{Summary: "Exports, newest first", Reply: ExportList{}, Query: pageArgs("ulid")}, exportList)
	api(http.MethodGet, "/api/v1/exports/:id", policy.Export, Doc{Summary: "One export and its progress", Reply: app.ExportView{}}, exportGet)
	api(http.MethodGet, "/api/v1/exports/:id/file", policy.Export, Doc{Summary: "The file of a finished export", Media: "application/octet-stream", Extra: []int{http.StatusConflict}}, exportFile)
	api(http.MethodDelete, "/api/v1/exports/:id", policy.Export, Doc{Summary: "Cancel an export under way", Status: http.StatusNoContent, Extra: []int{http.StatusConflict}}, exportCancel)
}

func exportCreate(c *Context) error {
	var b exportBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	r := app.ExportRequest{Format: b.Format, Language: b.Language, RequestID: c.RequestID,
		EventQuery: app.EventQuery{Kind: b.Kind, Actor: b.Actor, Model: b.Model, Decision: b.Decision, From: b.From, To: b.To}}
	if b.After != nil {
		r.After = b.After.UTC()
	}
	if b.Until != nil {
		r.Until = b.Until.UTC()
	}
	if r.Language == "" {
		r.Language = c.Lang
	}
	v, err := c.App.StartExport(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/api/v1/exports/"+v.ID)
	return c.JSON(http.StatusCreated, v)
}

func exportList(c *Context) error {
	q := query{c: c}
	p := q.page()
	if q.err != nil {
		return q.err
	}
	items, next, err := c.App.Exports(c.Ctx(), c.Caller, p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ExportList{Items: items, Next: next})
}

func exportGet(c *Context) error {
	v, err := c.App.Export(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

// exportFile sends a finished export; the page's download link uses it too.
func exportFile(c *Context) error {
	f, v, err := c.App.ExportFile(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	defer f.Close()
	h := c.Response().Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+v.FileName+`"`)
	h.Set("Cache-Control", "private, no-store")
	http.ServeContent(c.Response(), c.Request(), "", v.Created, f)
	return nil
}

func exportCancel(c *Context) error {
	if err := c.App.CancelExport(c.Ctx(), c.Caller, c.param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
