package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// typicalTokens is the length that a method's cost is given for where there is no
// input yet.
const typicalTokens = 24

// Models lists the registered model versions by name, newest first.
func (a *App) Models(ctx context.Context, c identity.Caller) ([]ModelView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.ModelRead, denied: "MODEL.READ.DENIED"}); err != nil {
		return nil, err
	}
	rows, err := a.store.Models(ctx, a.workspace)
	if err != nil {
		return nil, err
	}
	list := make([]ModelView, 0, len(rows))
	for i := range rows {
		v, err := a.modelView(ctx, &rows[i], false)
		if err != nil {
			return nil, err
		}
		list = append(list, *v)
	}
	return list, nil
}

// Model returns one model by name, name@version or digest, with its card, files,
// examples and methods.
func (a *App) Model(ctx context.Context, c identity.Caller, name string) (*ModelView, error) {
	row, err := a.readableModel(ctx, c, name)
	if err != nil {
		return nil, err
	}
	v, err := a.modelView(ctx, row, true)
	if err != nil {
		return nil, err
	}
	if v.Problem == "" {
		v.Methods, err = a.methods(c, row, policy.Context{}, typicalTokens)
	}
	return v, err
}

func (a *App) readableModel(ctx context.Context, c identity.Caller, name string) (*store.Model, error) {
	row, err := a.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	_, err = a.allow(ctx, ask{caller: c, action: policy.ModelRead, object: "model:" + row.Name, denied: "MODEL.READ.DENIED"})
	return row, err
}

func (a *App) modelView(ctx context.Context, row *store.Model, long bool) (*ModelView, error) {
	v := &ModelView{
		ModelRef: modelRef(row), Task: row.Task, Family: row.Family, Architecture: row.Architecture, Modality: row.Modality,
		Parameters: row.Parameters, DType: row.DType, Source: row.Source, Added: time.UnixMilli(row.Created).UTC(), AddedBy: row.AddedBy, Stopped: row.Stopped,
	}
	if err := json.Unmarshal([]byte(row.Labels), &v.Labels); err != nil {
		return nil, fmt.Errorf("app: reading the labels of %s: %w", row.Name, err)
	}
	var err error
	v.Predictions, _, err = a.store.CountPredictions(ctx, a.workspace, store.PredictionFilter{Model: row.Name + "@" + row.Version})
	if err != nil || !long {
		return v, err
	}
	v.Card = row.Card
	if err := json.Unmarshal([]byte(row.Files), &v.Files); err != nil {
		return nil, fmt.Errorf("app: reading the files of %s: %w", row.Name, err)
	}
	if m, err := a.model(row); err == nil {
		info := m.Info()
		v.Layers, v.Heads, v.MaxTokens = info.Layers, info.Heads, info.MaxTokens
		v.ImageSize = [3]int{info.ImageChannels, info.ImageHeight, info.ImageWidth}
	} else {
		v.Problem = plain(err)
	}
	if row.Source == sourceEmbedded {
		if v.Examples, err = examples(row.Name); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func examples(name string) (ExamplesView, error) {
	var v ExamplesView
	list, err := pretrained.Examples(name)
	if err != nil {
		return v, err
	}
	for _, e := range list {
		if e.Image != nil {
			v.Images = append(v.Images, ExampleImage{Name: e.File, Data: e.Image})
		} else {
			v.Texts = append(v.Texts, e.Text)
		}
	}
	return v, nil
}

// Methods lists every explanation method as it stands for a model and this caller: cost,
// parameters, whether it suits and whether the policy lets it.
func (a *App) Methods(ctx context.Context, c identity.Caller, model string) ([]MethodView, error) {
	row, err := a.readableModel(ctx, c, model)
	if err != nil {
		return nil, err
	}
	return a.methods(c, row, policy.Context{}, typicalTokens)
}

func (a *App) methods(c identity.Caller, row *store.Model, pc policy.Context, tokens int) ([]MethodView, error) {
	m, err := a.model(row)
	if err != nil {
		return nil, err
	}
	var list []MethodView
	for _, method := range explain.Methods() {
		list = append(list, a.methodView(c, row, m.Info(), method, pc, tokens))
	}
	return list, nil
}

// methodView gives a method's cost for an input of that many tokens.
func (a *App) methodView(c identity.Caller, row *store.Model, info inference.Info, m explain.Method, pc policy.Context, tokens int) MethodView {
	v := MethodView{ID: m.ID, Version: m.Version, Family: m.Family, Modalities: m.Modalities, Signed: m.Signed, Params: []ParamView{}}
	for _, p := range m.Params {
		v.Params = append(v.Params, ParamView{Name: p.Name, Type: p.Type, Default: p.Default, Min: p.Min, Max: p.Max, Enum: p.Enum, Help: p.Help})
	}
	pc.Method = m.ID
	d := a.decide(ask{caller: c, action: policy.Explain, object: "model:" + row.Name, context: pc})
	if v.Allowed = d.Allow; !d.Allow {
		view := decisionView(d)
		v.Denial, v.Decision = d.Reason, &view
	}
	if v.Suitable, v.Why = suits(info, m); !v.Suitable {
		return v
	}
	if cost, err := explain.Typical(m, info, tokens); err == nil {
		v.Forwards, v.Gradients, v.Seconds = cost.Forwards, cost.Gradients, cost.Seconds
	}
	return v
}

// suits says whether a method explains a model, and why not.
func suits(info inference.Info, m explain.Method) (ok bool, why string) {
	if slices.ContainsFunc(explain.Suited(info), func(s explain.Method) bool { return s.ID == m.ID }) {
		return true, ""
	}
	if !slices.Contains(m.Modalities, info.Modality) {
		return false, fmt.Sprintf("it works on %s models", strings.Join(m.Modalities, " and "))
	}
	if err := m.Suitable(info); err != nil {
		return false, plain(err)
	}
	return false, "it does not explain models for " + info.Task
}
