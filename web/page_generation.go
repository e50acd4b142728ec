package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/generate", policy.Predict, generatePage)
	page(http.MethodPost, "/generate", policy.Predict, generateRun)
}

// numberFields are the numbers of the form: what they are called and their bounds.
var numberFields = []views.NumberField{
	{Name: "max_tokens", Value: "64", Min: "1", Max: "4096", Step: "1"},
	{Name: "temperature", Value: "0", Min: "0", Max: "2", Step: "0.05"},
	{Name: "top_p", Value: "1", Min: "0.01", Max: "1", Step: "0.01"},
	{Name: "top_k", Value: "0", Min: "0", Max: "1000", Step: "1"},
	{Name: "seed", Value: "", Min: "0", Max: "4294967295", Step: "1"},
}

func generatePage(c *Context) error {
	form := url.Values{}
	for _, name := range []string{"model", "purpose", "text", "mode"} {
		form.Set(name, c.QueryParam(name))
	}
	if from := c.QueryParam("from"); from != "" {
		v, err := c.App.Prediction(c.Ctx(), c.Caller, from)
		if err != nil {
			return err
		}
		goOnFrom(form, v, c.QueryParam("go") != "")
	}
	m, err := c.generateForm(form)
	if err != nil {
		return err
	}
	return c.Page(http.StatusOK, views.GeneratePage(m))
}

// goOnFrom fills the form from an earlier answer as far as its reader may see it: with what was read, or with the
// whole conversation and its answer.
func goOnFrom(form url.Values, v *app.PredictionView, further bool) {
	form.Set("model", v.Model.Name+"@"+v.Model.Version)
	form.Set("purpose", v.Purpose)
	form.Set("prefix", v.Input.Prefix)
	turns := v.Input.Messages
	if len(turns) == 0 {
		form.Set("mode", "text")
		form.Set("text", v.Input.Text)
		return
	}
	form.Set("mode", "chat")
	if further && len(v.Output.Generated) > 0 {
		turns = append(turns, inference.Message{Role: "assistant", Content: v.Output.Generated[0].Text})
	} else {
		form.Set("text", turns[len(turns)-1].Content)
		turns = turns[:len(turns)-1]
	}
	for _, t := range turns {
		form.Add("role", t.Role)
		form.Add("content", t.Content)
	}
}

// generateForm is the page with what was typed.
func (c *Context) generateForm(form url.Values) (views.Generate, error) {
	m := views.Generate{Shell: c.shell("playground"), Text: form.Get("text"), Prefix: form.Get("prefix"), Language: form.Get("language")}
	list, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return m, err
	}
	ref := ""
	for _, x := range list {
		if !inference.WritesTexts(x.Task) {
			continue
		}
		name := x.Name + "@" + x.Version
		chosen := form.Get("model") == name || form.Get("model") == x.Name
		if chosen || ref == "" {
			ref = name
		}
		m.Models = append(m.Models, views.Choice{Value: name, Text: name, Selected: chosen})
	}
	for _, p := range policy.Purposes {
		m.Purposes = append(m.Purposes, views.Choice{Value: p, Text: views.PurposeName(c.Ctx(), p), Selected: form.Get("purpose") == p})
	}
	if ref == "" {
		return m, nil
	}
	x, err := c.App.Model(c.Ctx(), c.Caller, ref)
	if err != nil {
		return m, err
	}
	m.Model = &views.PlaygroundModel{Name: x.Name, Version: x.Version, Task: x.Task, MaxTokens: x.MaxTokens, URL: "/models/" + url.PathEscape(x.Name)}
	m.Reads = x.Task != "text-generation"
	m.Chat = !m.Reads && form.Get("mode") != "text"
	if m.Chat {
		m.Turns = turns(form)
	}
	if !m.Reads {
		addr := "/generate?model=" + url.QueryEscape(ref)
		m.Modes = []ui.Option{
			{Text: i18n.T(c.Ctx(), "generation.mode-chat"), URL: addr, Current: m.Chat},
			{Text: i18n.T(c.Ctx(), "generation.mode-text"), URL: addr + "&mode=text", Current: !m.Chat},
		}
	}
	for _, f := range numberFields {
		if form.Has(f.Name) {
			f.Value = form.Get(f.Name)
		}
		m.Numbers = append(m.Numbers, f)
	}
	m.Decision = c.decision(c.App.MayPredict(c.Ctx(), c.Caller, ref, form.Get("purpose")))
	methodList, err := c.App.MethodsFor(c.Ctx(), c.Caller, ref, form.Get("purpose"), "", 0)
	if err != nil {
		return m, err
	}
	m.Methods = methods(forWords(together(methodList)), form, form.Get("method"))
	body := `"prompt":"…"`
	path := "/v1/completions"
	if m.Chat {
		body, path = `"messages":[{"role":"user","content":"…"}]`, "/v1/chat/completions"
	}
	m.Curl = "curl " + c.Scheme() + "://" + c.Request().Host + path + ` -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '{"model":"` + ref + `",` + body + `,"max_tokens":64}'`
	return m, nil
}

// together are the methods that explain all words at once.
func together(list []app.MethodView) (out []app.MethodView) {
	for _, x := range list {
		if x.Suitable && x.Family != "internal" {
			out = append(out, x)
		}
	}
	return out
}

// turns are the earlier turns of the conversation in the form.
func turns(form url.Values) (out []views.Turn) {
	for i, role := range form["role"] {
		if i < len(form["content"]) {
			out = append(out, views.Turn{Role: role, Text: form["content"][i]})
		}
	}
	return out
}

// generateRequest is what the form asks for.
func (c *Context) generateRequest(form url.Values, m views.Generate) (app.GenerateRequest, error) {
	r := app.GenerateRequest{Model: form.Get("model"), Purpose: form.Get("purpose"), Prefix: form.Get("prefix"), Language: form.Get("language"), RequestID: c.RequestID}
	text := form.Get("text")
	if m.Chat {
		for _, t := range m.Turns {
			r.Messages = append(r.Messages, inference.Message{Role: t.Role, Content: t.Text})
		}
		r.Messages = append(r.Messages, inference.Message{Role: "user", Content: text})
	} else {
		r.Text = &text
	}
	for _, f := range numberFields {
		typed := strings.TrimSpace(form.Get(f.Name))
		if typed == "" {
			continue
		}
		v, err := strconv.ParseFloat(typed, 64)
		low, _ := strconv.ParseFloat(f.Min, 64)
		high, _ := strconv.ParseFloat(f.Max, 64)
		if err != nil || !(v >= low && v <= high) || f.Step == "1" && v != math.Trunc(v) {
			return r, invalid(fmt.Sprintf("%s is not a number that can be used", f.Name), fmt.Sprintf("use %s to %s", f.Min, f.Max))
		}
		switch f.Name {
		case "max_tokens":
			n := int(v)
			r.MaxTokens = &n
		case "temperature":
			r.Temperature = v
		case "top_p":
			if v < 1 {
				r.TopP = v
			}
		case "top_k":
			r.TopK = int(v)
		case "seed":
			n := uint64(v)
			r.Seed = &n
		}
	}
	if method := form.Get("method"); method != "" {
		r.Explain = &app.ExplainRequest{Method: method, Params: params(form, method), RequestID: c.RequestID}
	}
	return r, nil
}

func generateRun(c *Context) error {
	form, err := c.FormParams()
	if err != nil {
		return invalid("the form cannot be read", "send it again from the page")
	}
	m, err := c.generateForm(form)
	if err != nil {
		return err
	}
	r, err := c.generateRequest(form, m)
	stream := &writtenStream{c: c}
	if err == nil {
		var sink app.Sink
		if strings.Contains(c.Request().Header.Get("Accept"), "text/event-stream") {
			sink = app.Sink{Start: stream.start, Piece: stream.piece}
		}
		var v *app.PredictionView
		if v, err = c.App.Generate(c.Ctx(), c.Caller, r, sink); err == nil {
			if stream.open {
				return stream.send("done", map[string]string{"url": "/predictions/" + v.ID})
			}
			return c.Redirect(http.StatusSeeOther, "/predictions/"+v.ID)
		}
	}
	p := problem(err, c.RequestID)
	if stream.open { // what was written until then is kept
		what, hint := c.say(p)
		return stream.send("problem", map[string]string{"text": strings.TrimSpace(what + " " + hint)})
	}
	switch {
	case p.Decision != nil:
		d := c.decision(*p.Decision)
		m.Denied, m.Decision = &d, d
	case p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable && p.Status != http.StatusInsufficientStorage:
		return err
	default:
		m.Error, m.Hint = c.say(p)
	}
	return c.Page(p.Status, views.GeneratePage(m))
}

// writtenStream hands an answer to the page while it is written, as server-sent events: start with the address of what is
// recorded, text, and done or problem.
type writtenStream struct {
	c    *Context
	open bool
}

func (s *writtenStream) start(b app.Started) error {
	s.open = true
	h := s.c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.c.Response().WriteHeader(http.StatusOK)
	return s.send("start", map[string]string{"url": "/predictions/" + b.ID})
}

func (s *writtenStream) piece(p app.Piece) error {
	if p.Text == "" {
		return nil
	}
	return s.send("text", map[string]string{"text": p.Text})
}

func (s *writtenStream) send(event string, data map[string]string) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("web: writing an event: %w", err)
	}
	if _, err := fmt.Fprintf(s.c.Response(), "event: %s\ndata: %s\n\n", event, raw); err != nil {
		return err
	}
	s.c.Response().Flush()
	return nil
}
