package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

// batchBody is a data set and what to do with it.
type batchBody struct {
	Model     string       `json:"model" schema:"minLength=1;maxLength=200"`
	Format    string       `json:"format" schema:"list=batch-formats"`
	Data      []byte       `json:"data"`
	Purpose   string       `json:"purpose,omitempty" schema:"list=purposes"`
	DataClass string       `json:"data_class,omitempty" schema:"list=data-classes"`
	Explain   *explainBody `json:"explain,omitempty"`
}

func init() {
	closedLists["batch-formats"] = func() []string { return app.BatchFormats }
	api(http.MethodPost, "/api/v1/batches", policy.Predict, Doc{
		Summary: "Run a model over a data set (JSON lines, CSV, or a ZIP of pictures) by a job; with explain, explain each answer; the result sums up by label and slice",
		Body:    batchBody{}, Reply: app.TaskView{}, Status: http.StatusAccepted, Large: true, Extra: []int{http.StatusNotFound, http.StatusInsufficientStorage},
	}, batchCreate)
}

func batchCreate(c *Context) error {
	var b batchBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	r := app.BatchRequest{Model: b.Model, Format: b.Format, Data: b.Data, Purpose: b.Purpose, DataClass: b.DataClass, RequestID: c.RequestID}
	if b.Explain != nil {
		e := b.Explain.request(c)
		r.Explain = &e
	}
	return c.accepted(c.App.StartBatch(c.Ctx(), c.Caller, r))
}
