package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/web/app"
)

// The task routes of the Hugging Face inference API, so that its Python and
// JavaScript clients work unchanged when pointed at /hf/models/NAME. They walk
// the same one path as every other prediction.

// hfError is the error shape these clients read.
type hfError struct {
	Error     string `json:"error"`
	ErrorType string `json:"error_type"`
}

// hfBody is the JSON form of a call. Fields that we do not know are listed in
// the x-vitrine-ignored header, never dropped silently.
type hfBody struct {
	Inputs     json.RawMessage            `json:"inputs"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
}

// hfTask turns a prediction into the answer of one task. It gets the
// parameters, takes out those it understands, and returns the body.
type hfTask func(p *hfParams, v *app.PredictionView) (any, error)

var hfTasks = map[string]hfTask{}

func hfRegister(task string, t hfTask) {
	if hfTasks[task] != nil {
		panic("web: two answers for task " + task)
	}
	hfTasks[task] = t
}

func init() {
	api(http.MethodPost, "/hf/models/*", policy.Predict, Doc{
		Summary: "Hugging Face task API: {inputs, parameters}, or the bytes of a picture", Body: hfBody{}, Large: true, Raw: true,
		Extra: []int{http.StatusNotFound},
	}, hfPredict)
	hfRegister("text-classification", hfLabels)
	hfRegister("image-classification", hfLabels)
	hfRegister("token-classification", hfEntities)
}

func hfPredict(c *Context) error {
	name, err := url.PathUnescape(c.Param("*"))
	if err != nil || name == "" {
		return app.ErrUnknownModel
	}
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	m, err := c.App.Model(c.Ctx(), c.Caller, name)
	var denied *app.Denied
	if err != nil && !errors.As(err, &denied) { // who may not read models may still predict
		return err
	}
	p := &hfParams{}
	r := app.PredictRequest{Model: name, RequestID: c.RequestID}
	if isPicture(raw) {
		r.Image = raw
	} else if err := p.read(raw, m, &r); err != nil {
		return err
	}
	v, err := c.App.Predict(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	answer := hfTasks[v.Task]
	if answer == nil {
		return invalid("the task "+v.Task+" has no Hugging Face form here", "use /api/v1/predictions")
	}
	out, err := answer(p, v)
	if err != nil {
		return err
	}
	c.receipt(v)
	if rest := p.unknown(); len(rest) > 0 {
		c.Response().Header().Set("X-Vitrine-Ignored", strings.Join(rest, ", "))
	}
	return c.JSON(http.StatusOK, out)
}

// isPicture sniffs what the clients send raw: the Python one names no type.
func isPicture(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x89PNG\r\n")) || bytes.HasPrefix(b, []byte("\xff\xd8\xff"))
}

// hfParams are the parameters of a call with what has been used of them.
type hfParams struct {
	values map[string]json.RawMessage
	used   []string
	err    error
}

func (p *hfParams) read(raw []byte, m *app.ModelView, r *app.PredictRequest) error {
	if !utf8.Valid(raw) || loneSurrogate(raw) {
		return invalid("the body is not valid UTF-8", "send JSON in UTF-8, or the bytes of a PNG or JPEG")
	}
	var b map[string]json.RawMessage
	if !utf8.Valid(raw) {
		return errUTF8()
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return badBody(err)
	}
	inputs, ok := b["inputs"]
	if !ok {
		return invalid("the body has no inputs", `send {"inputs": …}`)
	}
	p.values = map[string]json.RawMessage{}
	for k, v := range b {
		if k != "inputs" && k != "parameters" {
			p.values[k] = v
		}
	}
	if raw := b["parameters"]; len(raw) > 0 && string(raw) != "null" {
		var params map[string]json.RawMessage
		if err := json.Unmarshal(raw, &params); err != nil {
			return invalid("parameters must be a JSON object", "leave it out where there are none")
		}
		for k, v := range params {
			p.values[k] = v
		}
	}
	var s string
	if err := json.Unmarshal(inputs, &s); err != nil {
		return invalid("inputs must be one string", "send one text, or one picture in base64, a call")
	}
	if m == nil || m.Modality != "image" {
		r.Text = &s
		return nil
	}
	img, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return invalid("inputs is not a picture in base64", "send the bytes of a PNG or JPEG, or their base64")
	}
	r.Image = img
	return nil
}

// take decodes a parameter into v and marks it used; absent and null leave v.
func (p *hfParams) take(name string, v any) {
	p.used = append(p.used, name)
	raw, ok := p.values[name]
	if !ok || string(raw) == "null" {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil && p.err == nil {
		p.err = invalid("the parameter "+name+" has the wrong type", "see the task's specification")
	}
}

func (p *hfParams) unknown() []string {
	var out []string
	for k := range p.values {
		if !slices.Contains(p.used, k) && isHeaderToken(k) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// isHeaderToken keeps names that a client invented out of the header unless
// they are plain words.
func isHeaderToken(s string) bool {
	for _, r := range s {
		if !(r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// hfLabel is one row of a classification.
type hfLabel struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
}

// hfLabels answers classification: nested for texts, because a flat list breaks
// the clients, flat for images.
func hfLabels(p *hfParams, v *app.PredictionView) (any, error) {
	topK, fn := 0, ""
	p.take("top_k", &topK)
	p.take("function_to_apply", &fn)
	if p.err != nil {
		return nil, p.err
	}
	if topK < 0 {
		return nil, invalid("top_k is negative", "send 1 or more")
	}
	var out []hfLabel
	for _, l := range v.Output.Labels {
		s := l.Score
		switch fn {
		case "":
		case "softmax":
			s = softmaxOf(v.Output.Labels, l)
		case "sigmoid":
			s = 1 / (1 + math.Exp(-l.Logit))
		case "none":
			s = l.Logit
		default:
			return nil, invalid("function_to_apply has no such value", "use sigmoid, softmax or none")
		}
		out = append(out, hfLabel{l.Label, s})
	}
	if topK > 0 && topK < len(out) {
		out = out[:topK]
	}
	if v.Input.Modality == "image" {
		return out, nil
	}
	return [][]hfLabel{out}, nil
}

func softmaxOf(all []inference.LabelScore, l inference.LabelScore) float64 {
	high, sum := math.Inf(-1), 0.0
	for _, o := range all {
		high = max(high, o.Logit)
	}
	for _, o := range all {
		sum += math.Exp(o.Logit - high)
	}
	return math.Exp(l.Logit-high) / sum
}

// hfEntity is one span; positions count characters.
type hfEntity struct {
	Group string  `json:"entity_group"`
	Score float64 `json:"score"`
	Word  string  `json:"word"`
	Start int     `json:"start"`
	End   int     `json:"end"`
}

func hfEntities(p *hfParams, v *app.PredictionView) (any, error) {
	strategy := "simple"
	var ignore []string
	p.take("aggregation_strategy", &strategy)
	p.take("ignore_labels", &ignore)
	if p.err != nil {
		return nil, p.err
	}
	if strategy != "simple" {
		return nil, invalid("aggregation_strategy "+strategy+" is not built", "use simple, which is the default")
	}
	out := []hfEntity{}
	for _, e := range v.Output.Entities {
		if !slices.Contains(ignore, e.Label) {
			out = append(out, hfEntity{e.Label, e.Score, e.Text, e.Start, e.End})
		}
	}
	return out, nil
}
