package app

import (
	"cmp"
	"context"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// Preview shows what a prediction would mask, keep and read, and what each method would
// cost on this input. Nothing is kept and nothing recorded, refusals excepted.
//
// Errors: [*Denied]; ErrUnknownModel, ErrUnknownPurpose, ErrInput.
func (a *App) Preview(ctx context.Context, c identity.Caller, r PreviewRequest) (*PreviewView, error) {
	w, err := a.begin(ctx, c, PredictRequest{Model: r.Model, Text: r.Text, Image: r.Image, Purpose: r.Purpose, DataClass: r.DataClass})
	if err != nil {
		return nil, err
	}
	if w.input, err = protect(w.decision.Obligations, r.Text, r.Pair, r.Image); err != nil {
		return nil, err
	}
	if err := fits(w.row, w.input); err != nil {
		return nil, err
	}
	m, err := a.model(w.row)
	if err != nil {
		return nil, err
	}
	encoded, err := m.Encode(ctx, w.input.seen)
	if err != nil {
		return nil, inputError(err)
	}
	v := &PreviewView{
		Model: modelRef(w.row), Text: w.input.kept.Text, Pair: w.input.kept.Pair, Findings: w.input.findings,
		Windows: len(encoded.Windows), Unknown: encoded.Unknown, Decision: decisionView(w.decision),
	}
	if encoded.Unknown > unknownShare {
		v.Warnings = append(v.Warnings, warnUnknown)
	}
	v.Tokens = w.input.tokens(joined(encoded))
	v.Methods, err = a.costs(ctx, w, m)
	return v, err
}

// joined lists the tokens as a prediction does: of one window all, of several the
// non-special ones, those of overlaps once.
func joined(e *inference.Encoded) []inference.Token {
	var out []inference.Token
	seen := map[int]bool{}
	for _, w := range e.Windows {
		for _, t := range w.Tokens {
			if len(e.Windows) == 1 || !t.Special && !seen[t.Index] {
				out = append(out, t)
				seen[t.Index] = true
			}
		}
	}
	if len(e.Windows) > 1 {
		slices.SortStableFunc(out, func(a, b inference.Token) int { return cmp.Compare(a.Index, b.Index) })
	}
	return out
}

// costs is every method with its cost on this very input.
func (a *App) costs(ctx context.Context, w *run, m *inference.Model) ([]MethodView, error) {
	info := m.Info()
	var list []MethodView
	for _, method := range explain.Methods() {
		v := a.methodView(w.caller, w.row, info, method, policy.Context{Purpose: w.context.Purpose, DataClass: w.context.DataClass}, typicalTokens)
		if v.Suitable {
			cost, err := a.estimate(ctx, explain.Request{Model: m, Input: w.input.seen, Method: method.ID, Threads: a.config.Threads})
			if err != nil {
				return nil, explainError(err)
			}
			v.Forwards, v.Gradients, v.Seconds = cost.Forwards, cost.Gradients, cost.Seconds
		}
		list = append(list, v)
	}
	return list, nil
}

// estimate may run the model once, to measure it: it takes a slot like any run.
func (a *App) estimate(ctx context.Context, r explain.Request) (explain.Cost, error) {
	release, err := a.slot(ctx)
	if err != nil {
		return explain.Cost{}, err
	}
	defer release()
	return explain.Estimate(ctx, r)
}
