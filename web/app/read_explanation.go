package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// explanationObligations are what a reader of an explanation is held to: those of
// reading, and where the reader may also explain, those of explaining. A method or level
// that the reader's rule forbids is an error. The decision is that on explaining.
func (a *App) explanationObligations(c identity.Caller, row *store.Prediction, method string, read policy.Decision) (policy.Obligations, policy.Decision, error) {
	d := a.decide(ask{caller: c, action: policy.Explain, object: "model:" + row.ModelName,
		context: policy.Context{Purpose: row.Purpose, DataClass: row.DataClass, Method: method}})
	o := read.Obligations
	switch {
	case d.Allow:
		o = stricter(o, d.Obligations)
	case d.Reason != policy.ReasonNoRule:
		return o, d, &Denied{Decision: decisionView(d)}
	}
	if o.Level() == policy.LevelNone || !o.AllowsMethod(method) {
		return o, d, &Denied{Decision: decisionView(read)}
	}
	return o, d, nil
}

// storedExplanation finds a stored explanation: ErrNotFound, also for an id that is none.
func (a *App) storedExplanation(ctx context.Context, id string) (*store.Explanation, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, notFound("explanation")
	}
	e, err := a.store.Explanation(ctx, a.workspace, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("explanation")
	}
	return e, err
}

// Explanation returns a stored explanation as the caller may see it.
func (a *App) Explanation(ctx context.Context, c identity.Caller, id string) (*ExplanationView, error) {
	e, err := a.storedExplanation(ctx, id)
	if err != nil {
		return nil, err
	}
	row, d, err := a.readable(ctx, c, e.Prediction)
	if err != nil {
		return nil, err
	}
	o, refusal, err := a.explanationObligations(c, row, e.Method, d)
	if err != nil {
		if refusal.Allow {
			return nil, err // the rule of reading withholds it: there is no refusal to record
		}
		q := ask{caller: c, action: policy.Explain, denied: "PREDICTION.READ.DENIED"}
		return nil, a.refuse(ctx, q, refusal)
	}
	v, err := a.unsealExplanation(ctx, e)
	if err != nil {
		return nil, err
	}
	if v.Record, err = a.unseal(ctx, place{e.Subject, e.ID, "record"}, e.Record); err != nil {
		return nil, err
	}
	if v.Receipt, err = a.receiptOf(ctx, e.Event); err != nil {
		return nil, err
	}
	if err := a.remaskExplanation(ctx, row, o, v); err != nil {
		return nil, err
	}
	if err := a.openHeld(ctx, c, row, v); err != nil {
		return nil, err
	}
	revealExplanation(o, v)
	return v, nil
}

func (a *App) unsealExplanation(ctx context.Context, e *store.Explanation) (*ExplanationView, error) {
	raw, err := a.unseal(ctx, place{e.Subject, e.ID, "result"}, e.Result)
	if err != nil {
		return nil, err
	}
	var kept keptExplanation
	if err := json.Unmarshal(raw, &kept); err != nil {
		return nil, fmt.Errorf("app: reading explanation %s: %w", e.ID, err)
	}
	v := &kept.View
	v.Tokens = withWords(v.Tokens, kept.TokenWord)
	v.Token, v.RecordHash = kept.Token, e.RecordHash
	if e.Tensors == nil {
		return v, nil
	}
	raw, err = a.unseal(ctx, place{e.Subject, e.ID, "tensors"}, e.Tensors)
	if err != nil {
		return nil, err
	}
	var tensors keptTensors
	if err := json.Unmarshal(raw, &tensors); err != nil {
		return nil, fmt.Errorf("app: reading explanation %s: %w", e.ID, err)
	}
	v.Map, v.Attention = tensors.Map.tensor(), tensors.Attention.tensor()
	return v, nil
}

// remaskExplanation holds an explanation's tokens and words to the reader's masking.
func (a *App) remaskExplanation(ctx context.Context, row *store.Prediction, o policy.Obligations, v *ExplanationView) error {
	if row.Modality != "text" || len(o.Mask) == 0 {
		return nil
	}
	p, err := a.predictionView(ctx, row)
	if err != nil {
		return err
	}
	before := slices.Clone(p.Input.Masked)
	if v.Target.Words > 0 && v.Answer < len(p.Output.Generated) { // what was written stands behind what was read
		p.Input.Pair = &p.Output.Generated[v.Answer].Text
	}
	p.Tokens, p.Output = v.Tokens, OutputView{}
	remask(o, p)
	v.Tokens = p.Tokens
	if len(p.Input.Masked) > len(before) {
		v.Words = nil // they hold the text
		if v.Target.Words > 0 {
			v.Target.Label = ""
		}
	}
	return nil
}
