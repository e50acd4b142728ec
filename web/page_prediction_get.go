package web

import (
	"net/http"
	"net/url"
	"sort"
	"strconv"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/chart"
	"vitrine/views/ui"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/predictions/:id", policy.PredictionRead, predictionPage)
	page(http.MethodGet, "/explanations/:id", policy.PredictionRead, explanationPage)
	page(http.MethodGet, "/predictions/:id/image", policy.PredictionRead, predictionImage)
}

func predictionPage(c *Context) error {
	m, err := c.prediction(c.Param("id"), c.QueryParam("e"), nil)
	if err != nil {
		return err
	}
	return c.Page(http.StatusOK, views.PredictionPage(m))
}

// prediction is the page of a prediction with one of its explanations: the
// newest where none is named. form keeps what was typed into the explain form.
func (c *Context) prediction(id, explanation string, form url.Values) (views.Prediction, error) {
	v, err := c.App.Prediction(c.Ctx(), c.Caller, id)
	if err != nil {
		return views.Prediction{}, err
	}
	m := views.Prediction{
		Shell: c.shell("predictions"), ID: v.ID, Made: v.Time, Actor: c.actor(v.Actor), Seconds: v.Seconds, Model: modelRef(v.Model), Task: v.Task,
		Purpose: v.Purpose, DataClass: v.DataClass, Input: input(v), Tokens: len(v.Tokens), Warnings: v.Warnings,
		Decision: c.storedDecision(v.Decision, v.Actor), Log: c.place(v.Receipt), Target: form.Get("target"), Dimension: len(v.Output.Vector),
		CLI: "vitrine explain -m " + v.Model.Name + "@" + v.Model.Version + " --text '…' --method integrated-gradients --json",
	}
	if m.Input.Image != "" {
		m.CLI = "vitrine explain -m " + v.Model.Name + "@" + v.Model.Version + " --image FILE --method grad-cam --json"
	}
	for i, l := range v.Output.Labels {
		m.Classes = append(m.Classes, chart.Class{Label: l.Label, Score: l.Score, Logit: l.Logit, Predicted: i == 0})
		m.Targets = append(m.Targets, l.Label)
	}
	for _, e := range v.Output.Entities {
		m.Entities = append(m.Entities, views.Entity{Label: e.Label, Text: e.Text, Score: e.Score, Start: e.Start, End: e.End})
	}
	if v.Output.Answer != nil {
		m.Answer = v.Output.Answer.Text
	}
	for _, w := range v.Windows {
		m.Windows = append(m.Windows, views.Window{Start: w.Start, End: w.End, Tokens: w.Tokens})
	}
	if len(v.Output.Generated) > 0 {
		err = c.withWritten(&m, v, explanation, form)
	} else {
		err = c.withExplanation(&m, v, explanation)
	}
	if err != nil {
		return m, err
	}
	for i := range v.Reviews {
		m.Reviews = append(m.Reviews, c.review(&v.Reviews[i]))
	}
	c.withMethods(&m, v, form)
	m.Shell.Print = printAddr(&m)
	m.CanReveal = v.Decision.Obligations.ModelSeesClear && c.App.May(c.Ctx(), c.Caller, string(policy.PredictionReveal), "prediction:"+v.ID).Effect == policy.EffectAllow
	return m, nil
}

func input(v *app.PredictionView) views.Input {
	in := views.Input{Text: v.Input.Text, Kept: v.Input.Kept, W: v.Input.Width, H: v.Input.Height}
	if v.Input.Pair != nil {
		in.Pair = *v.Input.Pair
	}
	for _, f := range v.Input.Masked {
		in.Masked = append(in.Masked, f.Recogniser)
	}
	if v.Input.Modality == "image" {
		in.Image = "/predictions/" + v.ID + "/image"
	}
	return in
}

// place says where a receipt's event stands in the log.
func (c *Context) place(r app.ReceiptView) views.LogPlace {
	p := views.LogPlace{Event: r.Event, Index: -1}
	p.Closed = c.App.May(c.Ctx(), c.Caller, string(policy.AuditRead), "audit:*").Effect != policy.EffectAllow
	if r.Index != nil {
		p.Index, p.Size, p.Verified = *r.Index, c.App.Status(c.Ctx()).Size, r.Status == "included"
	}
	return p
}

// withExplanation adds the chosen explanation and the tabs of all.
func (c *Context) withExplanation(m *views.Prediction, v *app.PredictionView, chosen string) error {
	list := append([]app.ExplanationBrief(nil), v.Explanations...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	if chosen == "" && len(list) > 0 {
		chosen = list[len(list)-1].ID
	}
	names := map[string]int{}
	for _, b := range list {
		names[b.Method]++
		text := views.MethodName(c.Ctx(), b.Method)
		if names[b.Method] > 1 {
			text += " (" + strconv.Itoa(names[b.Method]) + ")"
		}
		m.Tabs = append(m.Tabs, ui.Option{Text: text, URL: "/predictions/" + v.ID + "?e=" + b.ID, Current: b.ID == chosen})
	}
	if chosen == "" {
		return nil
	}
	m.Shown = chosen
	e, err := c.App.Explanation(c.Ctx(), c.Caller, chosen)
	if err != nil {
		return err
	}
	if e.Prediction != "" && e.Prediction != v.ID {
		return errNoRoute
	}
	if m.Gate = gateNote(e); m.Gate != nil && m.Gate.Held {
		return nil
	}
	if e.Level == policy.LevelNone {
		m.Withheld = policy.ReasonNoExplanation
		return nil
	}
	m.Why = c.explanation(v, e, list)
	m.Replayable = c.App.MayExplain(c.Ctx(), c.Caller, v, e.Method)
	return nil
}

// withMethods adds the form that explains the prediction another way.
func (c *Context) withMethods(m *views.Prediction, v *app.PredictionView, form url.Values) {
	list, err := c.App.MethodsFor(c.Ctx(), c.Caller, v.Model.Name+"@"+v.Model.Version, v.Purpose, v.DataClass, len(v.Tokens))
	if err != nil || !v.Input.Kept {
		return
	}
	chosen := form.Get("method")
	if chosen == "" {
		chosen = c.QueryParam("method")
	}
	words := len(v.Output.Generated) > 0
	if words {
		if list = forWords(list); m.Written.Chosen == nil {
			list = together(list)
		}
	}
	made := map[string]bool{}
	for _, e := range v.Explanations {
		made[e.Method] = true
	}
	var fitting []app.MethodView
	for _, x := range list {
		if x.Suitable {
			fitting = append(fitting, x)
			if chosen == "" && x.Allowed && !made[x.ID] && !words {
				chosen = x.ID
			}
		}
	}
	if words && chosen == "" {
		chosen = cheapest(fitting)
	}
	m.Methods = methods(fitting, form, chosen)
}

// explanationPage leads from an explanation's own address, which log entries
// link to, to the prediction it explains.
func explanationPage(c *Context) error {
	e, err := c.App.Explanation(c.Ctx(), c.Caller, c.Param("id"))
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/predictions/"+e.Prediction+"?e="+e.ID)
}
