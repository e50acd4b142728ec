package app

import (
	"context"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// Offers are what a page may show before anybody asks: they decide with the policy in
// force and record nothing, because nothing was tried. Every use case decides again.

// MayPredict answers whether the caller could run a model for a purpose now. An unknown
// purpose or model counts as the default one: the use case names the mistake.
func (a *App) MayPredict(ctx context.Context, c identity.Caller, model, purpose string) DecisionView {
	pc := policy.Context{}
	if p, err := policy.CheckPurpose(purpose); err == nil {
		pc.Purpose = p
	}
	object := ""
	if row, err := a.lookup(ctx, model); err == nil {
		object = "model:" + row.Name
	}
	return decisionView(a.decide(ask{caller: c, action: policy.Predict, object: object, context: pc}))
}

// TaskOf answers what a model does and what it reads, "text" or "image", for protocols
// whose calls say neither. Both are "" for a caller who may not run it: Predict refuses
// and records that. ErrUnknownModel where there is none.
func (a *App) TaskOf(ctx context.Context, c identity.Caller, model, purpose, class string) (task, modality string, err error) {
	row, err := a.lookup(ctx, model)
	if err != nil {
		return "", "", err
	}
	if inference.WritesTexts(row.Task) {
		return row.Task, row.Modality, nil // Generate asks for a permission of its own
	}
	pc := policy.Context{DataClass: class}
	if p, err := policy.CheckPurpose(purpose); err == nil {
		pc.Purpose = p
	}
	if !a.decide(ask{caller: c, action: policy.Predict, object: "model:" + row.Name, context: pc}).Allow {
		return "", "", nil
	}
	return row.Task, row.Modality, nil
}

// MethodsFor is Methods as they stand for a purpose and a data class, with the cost for
// an input of that many tokens; 0 means a typical one.
func (a *App) MethodsFor(ctx context.Context, c identity.Caller, model, purpose, class string, tokens int) ([]MethodView, error) {
	row, err := a.readableModel(ctx, c, model)
	if err != nil {
		return nil, err
	}
	pc := policy.Context{DataClass: class}
	if p, err := policy.CheckPurpose(purpose); err == nil {
		pc.Purpose = p
	}
	if tokens == 0 {
		tokens = typicalTokens
	}
	return a.methods(c, row, pc, tokens)
}

// MayExplain answers whether the caller could explain a prediction by a method now.
func (a *App) MayExplain(_ context.Context, c identity.Caller, p *PredictionView, method string) bool {
	return a.decide(ask{caller: c, action: policy.Explain, object: "model:" + p.Model.Name,
		context: policy.Context{Purpose: p.Purpose, DataClass: p.DataClass, Method: method}}).Allow
}
