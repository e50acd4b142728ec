package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

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

// hfTask is the form of one task. It takes the parameters it understands, before
// the model runs, and returns what writes the answer; p.err holds a complaint.
type hfTask func(p *hfParams) hfAnswer

// hfAnswer turns a prediction into the body of the reply.
type hfAnswer func(v *app.PredictionView) any

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
}

func hfPredict(c *Context) error {
	name, err := url.PathUnescape(c.Param("*"))
	if err != nil || name == "" {
		return app.ErrUnknownModel
	}
	if model, answer := hfNested(name); answer != nil {
		return answer(c, model)
	}
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	p := &hfParams{values: map[string]json.RawMessage{}}
	r := app.PredictRequest{Model: name, RequestID: c.RequestID}
	picture := isPicture(raw)
	var bad error
	if !picture {
		bad = p.read(raw)
	}
	p.govern(c.Request().Header, &r)
	task, modality, err := c.App.TaskOf(c.Ctx(), c.Caller, name, r.Purpose, r.DataClass)
	if err != nil { // an unknown model is named first, whatever the body is
		return err
	}
	if bad != nil {
		return bad
	}
	if hfWrites[task] != "" && !picture {
		return hfGenerate(c, task, p, &r)
	}
	answer := hfAnswer(nil)
	if task != "" { // else Predict refuses and records that
		if answer, err = hfForm(task, p); err != nil {
			return err
		}
	}
	if picture {
		r.Image = raw
	} else if err := p.input(modality, &r); err != nil {
		return err
	}
	v, err := c.App.Predict(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	c.receipt(v)
	if answer == nil { // the policy changed since the question above
		if answer, err = hfForm(v.Task, p); err != nil {
			return err
		}
	}
	if rest := p.unknown(); len(rest) > 0 {
		c.Response().Header().Set("X-Vitrine-Ignored", strings.Join(rest, ", "))
	}
	return c.JSON(http.StatusOK, answer(v))
}

// hfForm finds the form of a task and hands it the parameters.
func hfForm(task string, p *hfParams) (hfAnswer, error) {
	form := hfTasks[task]
	if form == nil {
		return nil, invalid("the task "+task+" has no Hugging Face form here", "use /api/v1/predictions")
	}
	answer := form(p)
	return answer, p.err
}

// isPicture sniffs what the clients send raw: the Python one names no type.
func isPicture(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x89PNG\r\n")) || bytes.HasPrefix(b, []byte("\xff\xd8\xff"))
}

// hfParams are the parameters of a call with what has been used of them.
type hfParams struct {
	inputs string
	values map[string]json.RawMessage
	used   []string
	err    error
}

// read takes a call apart: inputs, and the parameters of both places where the
// clients put them.
func (p *hfParams) read(raw []byte) error {
	var b map[string]json.RawMessage
	if err := readText(raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return badBody(err)
	}
	inputs, ok := b["inputs"]
	if !ok {
		return invalid("the body has no inputs", `send {"inputs": …}`)
	}
	if err := json.Unmarshal(inputs, &p.inputs); err != nil {
		return invalid("inputs must be one string", "send one text, or one picture in base64, a call")
	}
	var params map[string]json.RawMessage
	if raw := b["parameters"]; len(raw) > 0 && string(raw) != "null" {
		if err := json.Unmarshal(raw, &params); err != nil {
			return invalid("parameters must be a JSON object", "leave it out where there are none")
		}
	}
	delete(b, "inputs")
	delete(b, "parameters")
	maps.Copy(p.values, b)
	maps.Copy(p.values, params)
	return nil
}

// input puts inputs where the model reads it.
func (p *hfParams) input(modality string, r *app.PredictRequest) error {
	if modality != "image" {
		r.Text = &p.inputs
		return nil
	}
	img, err := base64.StdEncoding.DecodeString(strings.TrimSpace(p.inputs))
	if err != nil {
		return invalid("inputs is not a picture in base64", "send the bytes of a PNG or JPEG, or their base64")
	}
	r.Image = img
	return nil
}

// govern reads what the policy needs to know and these clients have no field
// for: purpose, data class and the person concerned, as parameters or, for
// clients that send none, as headers.
func (p *hfParams) govern(h http.Header, r *app.PredictRequest) {
	r.Purpose, r.DataClass, r.Subject = h.Get("X-Vitrine-Purpose"), h.Get("X-Vitrine-Data-Class"), h.Get("X-Vitrine-Subject")
	p.take("purpose", &r.Purpose)
	p.take("data_class", &r.DataClass)
	p.take("subject", &r.Subject)
}

// take decodes a parameter into v and marks it used; absent and null leave v.
func (p *hfParams) take(name string, v any) {
	p.used = append(p.used, name)
	raw, ok := p.values[name]
	if !ok || string(raw) == "null" {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		p.complain("the parameter "+name+" has the wrong type", "see the task's specification")
	}
}

// complain keeps the first complaint.
func (p *hfParams) complain(what, hint string) {
	if p.err == nil {
		p.err = invalid(what, hint)
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
