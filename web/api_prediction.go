package web

import (
	"net/http"
	"net/url"
	"strconv"

	"vitrine/policy"
	"vitrine/web/app"
)

// predictBody is what POST /api/v1/predictions takes: one text (with an
// optional second one) or one picture in base64.
type predictBody struct {
	Model     string       `json:"model" schema:"minLength=1;maxLength=200"`
	Text      *string      `json:"text,omitempty"`
	Pair      *string      `json:"pair,omitempty"`
	Image     []byte       `json:"image,omitempty"`
	Purpose   string       `json:"purpose,omitempty" schema:"list=purposes"`
	DataClass string       `json:"data_class,omitempty" schema:"list=data-classes"`
	Subject   string       `json:"subject,omitempty" schema:"maxLength=200"`
	Explain   *explainBody `json:"explain,omitempty"`
}

// explainBody asks why a prediction came out as it did.
type explainBody struct {
	Method string         `json:"method" schema:"list=methods"`
	Params map[string]any `json:"params,omitempty"`
	Target string         `json:"target,omitempty" schema:"maxLength=200"`
	Seed   uint64         `json:"seed,omitempty" schema:"minimum=0;maximum=9007199254740991"`
	Answer int            `json:"answer,omitempty" schema:"minimum=0;maximum=15"`
}

func (b *explainBody) request(c *Context) app.ExplainRequest {
	return app.ExplainRequest{Method: b.Method, Params: b.Params, Target: b.Target, Seed: b.Seed, Answer: b.Answer, RequestID: c.RequestID}
}

type revealBody struct {
	Reason string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
}

func init() {
	api(http.MethodPost, "/api/v1/predictions", policy.Predict, Doc{
		Summary: "Run a model on one text or picture, governed and recorded; with explain, explain the answer too",
		Body:    predictBody{}, Reply: app.PredictionView{}, Status: http.StatusCreated, Large: true, Extra: []int{http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage},
	}, predictionCreate)
	api(http.MethodGet, "/api/v1/predictions", policy.PredictionRead, Doc{
		Summary: "List predictions, newest first", Reply: app.PredictionList{},
		Query: append([]Arg{text("model", "name or name@version"), text("purpose", ""), text("actor", "user:… or key:…"), text("label", "")}, append(pageArgs("ulid"), rangeArgs...)...),
	}, predictionList)
	api(http.MethodGet, "/api/v1/predictions/:id", policy.PredictionRead, Doc{Summary: "One prediction", Reply: app.PredictionView{}}, predictionGet)
	api(http.MethodGet, "/api/v1/predictions/:id/image", policy.PredictionRead, Doc{Summary: "The stored picture of a prediction", Media: "image/*"}, predictionImage)
	api(http.MethodPost, "/api/v1/predictions/:id/explanations", policy.Explain, Doc{
		Summary: "Explain a prediction by one method", Body: explainBody{}, Reply: app.ExplanationView{}, Status: http.StatusCreated, Extra: []int{http.StatusConflict, http.StatusInsufficientStorage},
	}, explanationCreate)
	api(http.MethodPost, "/api/v1/predictions/:id/reveal", policy.PredictionReveal, Doc{
		Summary: "The clear input of a prediction, where the rule kept it; recorded with the reason", Body: revealBody{}, Reply: app.InputView{}, Extra: []int{http.StatusConflict},
	}, predictionReveal)
	api(http.MethodGet, "/api/v1/explanations/:id", policy.PredictionRead, Doc{Summary: "One explanation with its record", Reply: app.ExplanationView{}}, explanationGet)
	api(http.MethodPost, "/api/v1/preview", policy.Predict, Doc{
		Summary: "What a prediction would see and store after masking, its tokens, the methods and their cost; nothing is kept",
		Body:    app.PreviewRequest{}, Reply: app.PreviewView{}, Large: true, Extra: []int{http.StatusNotFound},
	}, previewCreate)
}

func predictionCreate(c *Context) error {
	var b predictBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	r := app.PredictRequest{Model: b.Model, Text: b.Text, Pair: b.Pair, Image: b.Image, Purpose: b.Purpose, DataClass: b.DataClass, Subject: b.Subject, RequestID: c.RequestID}
	if b.Explain != nil {
		e := b.Explain.request(c)
		r.Explain = &e
	}
	v, err := c.App.Predict(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	c.receipt(v)
	c.Response().Header().Set("Location", "/api/v1/predictions/"+v.ID)
	return c.JSON(http.StatusCreated, v)
}

// receipt puts the address of the proof into the headers, the same on every
// protocol.
func (c *Context) receipt(v *app.PredictionView) {
	c.receiptHeaders(v.ID, v.Decision.PolicyVersion, v.Receipt.URL)
}

func (c *Context) receiptHeaders(id string, policyVersion int64, url string) {
	h := c.Response().Header()
	h.Set("X-Vitrine-Prediction", id)
	h.Set("X-Vitrine-Policy", strconv.FormatInt(policyVersion, 10))
	h.Set("X-Vitrine-Receipt", url)
}

// param is a path parameter, unescaped once.
func (c *Context) param(name string) string {
	v, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return c.Param(name)
	}
	return v
}

func predictionList(c *Context) error {
	q := query{c: c}
	r := app.PredictionQuery{Page: q.page(), Model: q.str("model"), Purpose: q.str("purpose"), Actor: q.str("actor"), Label: q.str("label"), After: q.when("after"), Until: q.when("until")}
	if q.err != nil {
		return q.err
	}
	v, err := c.App.Predictions(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func predictionGet(c *Context) error {
	v, err := c.App.Prediction(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func predictionImage(c *Context) error {
	data, media, err := c.App.InputImage(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "private, no-store")
	return c.Blob(http.StatusOK, media, data)
}

func explanationCreate(c *Context) error {
	var b explainBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	v, err := c.App.Explain(c.Ctx(), c.Caller, c.param("id"), b.request(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func explanationGet(c *Context) error {
	v, err := c.App.Explanation(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func predictionReveal(c *Context) error {
	var b revealBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	v, err := c.App.Reveal(c.Ctx(), c.Caller, c.param("id"), b.Reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func previewCreate(c *Context) error {
	var r app.PreviewRequest
	if err := c.Decode(&r); err != nil {
		return err
	}
	v, err := c.App.Preview(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}
