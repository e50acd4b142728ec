package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/privacy"
	"vitrine/views"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/playground", policy.Predict, playgroundPage)
	upload(http.MethodPost, "/playground", policy.Predict, playgroundPreview)
	upload(http.MethodPost, "/predictions", policy.Predict, playgroundRun)
}

// playgroundForm is what the form of the playground holds.
type playgroundForm struct {
	kind    string // text or image
	values  url.Values
	image   []byte
	example int // of the model's pictures, -1 for none
}

func playgroundPage(c *Context) error {
	f := playgroundForm{kind: "text", values: url.Values{}, example: -1}
	if c.QueryParam("kind") == "image" {
		f.kind = "image"
	}
	for _, name := range []string{"model", "purpose", "text", "method", "target"} {
		f.values.Set(name, c.QueryParam(name))
	}
	if from := c.QueryParam("from"); from != "" {
		// The stored input of an earlier run, as far as this reader may see it.
		v, err := c.App.Prediction(c.Ctx(), c.Caller, from)
		if err != nil {
			return err
		}
		f.values.Set("text", v.Input.Text)
		f.values.Set("model", v.Model.Name+"@"+v.Model.Version)
		f.values.Set("purpose", v.Purpose)
		if v.Input.Modality == "image" {
			f.kind = "image"
		}
	}
	m, model, err := c.playground(&f)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(c.QueryParam("example")); err == nil && model != nil {
		if f.kind == "text" && n >= 0 && n < len(model.Examples.Texts) {
			m.Text = model.Examples.Texts[n]
			f.values.Set("text", m.Text)
		}
	}
	if m.Text != "" && m.Decision.Allow {
		if err := c.preview(&m, &f); err != nil && !errors.Is(err, app.ErrInput) {
			return err
		}
	}
	return c.Page(http.StatusOK, views.PlaygroundPage(m))
}

// playground is the page with everything but a preview. model is nil where no
// registered model takes this kind of input.
func (c *Context) playground(f *playgroundForm) (views.Playground, *app.ModelView, error) {
	m := views.Playground{Shell: c.shell("playground"), Kind: f.kind, Text: f.values.Get("text"), Target: f.values.Get("target"), Example: f.example}
	list, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return m, nil, err
	}
	ref := ""
	for _, x := range list {
		if x.Modality != f.kind || inference.WritesTexts(x.Task) {
			continue
		}
		name := x.Name + "@" + x.Version
		chosen := f.values.Get("model") == name || f.values.Get("model") == x.Name
		if chosen || ref == "" {
			ref = name
		}
		m.Models = append(m.Models, views.Choice{Value: name, Text: name, Selected: chosen})
	}
	for _, p := range policy.Purposes {
		m.Purposes = append(m.Purposes, views.Choice{Value: p, Text: views.PurposeName(c.Ctx(), p), Selected: f.values.Get("purpose") == p})
	}
	if ref == "" {
		return m, nil, nil
	}
	x, err := c.App.Model(c.Ctx(), c.Caller, ref)
	if err != nil {
		return m, nil, err
	}
	m.Model = &views.PlaygroundModel{Name: x.Name, Version: x.Version, Task: x.Task, Labels: x.Labels, MaxTokens: x.MaxTokens, URL: "/models/" + url.PathEscape(x.Name)}
	for i, t := range x.Examples.Texts {
		if len(m.Examples) < 6 && plainExample(t) {
			m.Examples = append(m.Examples, ui.Option{Text: short(t, 60), URL: "/playground?kind=text&model=" + url.QueryEscape(ref) + "&example=" + strconv.Itoa(i)})
		}
	}
	for i, p := range x.Examples.Images {
		if i < 12 {
			m.Pictures = append(m.Pictures, views.ExamplePicture{Index: i, Name: strings.TrimSuffix(p.Name, ".png"), URL: "/models/" + url.PathEscape(x.Name) + "/examples/" + strconv.Itoa(i), Selected: i == f.example || f.example < 0 && i == 0})
		}
	}
	m.Decision = c.decision(c.App.MayPredict(c.Ctx(), c.Caller, ref, f.values.Get("purpose")))
	list2, err := c.App.MethodsFor(c.Ctx(), c.Caller, ref, f.values.Get("purpose"), "", 0)
	if err != nil {
		return m, nil, err
	}
	m.Methods = methods(list2, f.values, chosenMethod(f.values, list2))
	m.CLI, m.Curl = c.elsewhere(f, ref, chosenMethod(f.values, list2))
	return m, x, nil
}

// chosenMethod is the method that was picked; on a fresh form the first that
// suits and is allowed: additive ones before class activation maps before others.
func chosenMethod(form url.Values, list []app.MethodView) string {
	if form.Has("method") && form.Get("method") != "" || form.Has("kind") {
		return form.Get("method")
	}
	best, rank := "", -1
	for _, x := range list {
		m, _ := explain.Lookup(x.ID)
		r := 0
		switch {
		case m.Complete:
			r = 2
		case m.Family == "cam":
			r = 1
		}
		if x.Suitable && x.Allowed && r > rank {
			best, rank = x.ID, r
		}
	}
	return best
}

// elsewhere is the same run as a command and as a request; the input stands for
// itself only as a placeholder, so that it does not end up in a shell history by
// accident.
func (c *Context) elsewhere(f *playgroundForm, model, method string) (cli, curl string) {
	base := c.Scheme() + "://" + c.Request().Host
	in, body := "--text '…'", `"text":"…"`
	if f.kind == "image" {
		in, body = "--image FILE", `"image":"BASE64"`
	}
	if method == "" {
		method = "integrated-gradients"
	}
	cli = "vitrine explain -m " + model + " " + in + " --method " + method + " --json"
	curl = "curl " + base + "/api/v1/predictions -H \"Authorization: Bearer $KEY\" -H \"Content-Type: application/json\" -d '{\"model\":\"" + model + "\"," + body + ",\"explain\":{\"method\":\"" + method + "\"}}'"
	return cli, curl
}

// preview asks what would be stored and what each method would cost on this
// very text.
func (c *Context) preview(m *views.Playground, f *playgroundForm) error {
	text := f.values.Get("text")
	v, err := c.App.Preview(c.Ctx(), c.Caller, app.PreviewRequest{Model: m.Model.Name + "@" + m.Model.Version, Text: &text, Purpose: f.values.Get("purpose")})
	if err != nil {
		return err
	}
	d := c.decision(v.Decision)
	m.Decision = d
	m.Methods = methods(v.Methods, f.values, chosenMethod(f.values, v.Methods))
	p := &views.Preview{Pieces: views.MaskPieces(v.Text), Windows: v.Windows, Unknown: v.Unknown}
	if d.Rule != nil {
		p.Rule = d.Rule.ID
	}
	runes := []rune(text)
	masks := d.Obligations.Mask
	for _, x := range v.Findings {
		if x.Start < 0 || x.End > len(runes) || x.Start > x.End {
			continue
		}
		p.Findings = append(p.Findings, views.MaskFinding{Kind: x.Recogniser, Text: string(runes[x.Start:x.End]), Score: x.Score,
			Becomes: privacy.Label(x.Recogniser), Masked: slices.Contains(masks, x.Recogniser) || slices.Contains(masks, policy.MaskAll)})
	}
	for _, t := range v.Tokens {
		p.Tokens, p.Special = append(p.Tokens, t.Text), append(p.Special, t.Special)
	}
	m.Preview = p
	return nil
}

// readForm takes the form of the playground from the request.
func (c *Context) readForm() (playgroundForm, error) {
	f := playgroundForm{kind: "text", example: -1}
	values, err := c.FormParams()
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return f, err
		}
		return f, invalid("the form cannot be read", "send it again from the page")
	}
	f.values = values
	if values.Get("kind") == "image" {
		f.kind = "image"
	}
	if n, err := strconv.Atoi(values.Get("example")); err == nil && n >= 0 {
		f.example = n
	}
	file, err := c.FormFile("image")
	if err != nil || file.Size == 0 {
		return f, nil
	}
	src, err := file.Open()
	if err != nil {
		return f, invalid("the picture cannot be read", "choose the file again")
	}
	defer src.Close()
	if f.image, err = io.ReadAll(io.LimitReader(src, imageBody)); err != nil {
		return f, invalid("the picture cannot be read", "choose the file again")
	}
	return f, nil
}

func playgroundPreview(c *Context) error {
	f, err := c.readForm()
	if err != nil {
		return err
	}
	m, _, err := c.playground(&f)
	if err != nil {
		return err
	}
	status := http.StatusOK
	// Looking at what would be stored is no attempt to run: a policy that says no
	// shows beside the form and is not recorded as a refusal.
	if m.Model != nil && m.Decision.Allow && f.kind == "text" && strings.TrimSpace(f.values.Get("text")) != "" {
		if err := c.preview(&m, &f); err != nil {
			if status, err = c.playgroundFailed(&m, err); err != nil {
				return err
			}
		}
	}
	if c.IsHTMX() {
		return c.Page(http.StatusOK, views.PreviewPart(m))
	}
	return c.Page(status, views.PlaygroundPage(m))
}

// playgroundFailed puts an error onto the form. Errors that are not about the
// input come back.
func (c *Context) playgroundFailed(m *views.Playground, err error) (status int, _ error) {
	p := problem(err, c.RequestID)
	switch {
	case p.Decision != nil:
		d := c.decision(*p.Decision)
		m.Denied = &d
		m.Decision = d
	case p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable && p.Status != http.StatusInsufficientStorage:
		return 0, err
	default:
		m.Error, m.Hint = c.say(p)
	}
	return p.Status, nil
}

func playgroundRun(c *Context) error {
	f, err := c.readForm()
	if err != nil {
		return err
	}
	m, model, err := c.playground(&f)
	if err != nil {
		return err
	}
	r := app.PredictRequest{Model: f.values.Get("model"), Purpose: f.values.Get("purpose"), RequestID: c.RequestID}
	if f.kind == "image" {
		r.Image = f.image
		if len(r.Image) == 0 && model != nil && f.example >= 0 && f.example < len(model.Examples.Images) {
			r.Image = model.Examples.Images[f.example].Data
		}
	} else {
		text := f.values.Get("text")
		r.Text = &text
	}
	method := f.values.Get("method")
	if method != "" {
		r.Explain = &app.ExplainRequest{Method: method, Params: params(f.values, method), Target: f.values.Get("target"), RequestID: c.RequestID}
	}
	v, err := c.App.Predict(c.Ctx(), c.Caller, r)
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/predictions/"+v.ID)
	}
	status, err := c.playgroundFailed(&m, err)
	if err != nil {
		return err
	}
	if m.Denied != nil {
		m.Denied.Request.Context.Method = method
	}
	return c.Page(status, views.PlaygroundPage(m))
}

// plainExample picks examples that read well: whole sentences, no handles.
func plainExample(s string) bool {
	return len(s) >= 20 && len(s) <= 110 && !strings.ContainsAny(s, "@#_*<>") && strings.HasSuffix(s, ".")
}

func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
