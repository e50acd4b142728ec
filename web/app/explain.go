package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitrine/audit"
	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// Explain explains the stored prediction with the given id, as an event of its own. The
// caller must be allowed to read the prediction and to explain the model by this method
// for the purpose that the prediction was made for.
//
// Errors: [*Denied]; ErrNotFound; ErrUnknownMethod, ErrParam, ErrUnsuitable,
// ErrUnknownLabel; ErrInputNotKept; ErrBusy; the context's.
func (a *App) Explain(ctx context.Context, c identity.Caller, predictionID string, r ExplainRequest) (*ExplanationView, error) {
	row, _, err := a.readable(ctx, c, predictionID)
	if err != nil {
		return nil, err
	}
	m, err := a.store.ModelByName(ctx, a.workspace, row.ModelName, row.ModelVersion)
	if err != nil {
		return nil, err
	}
	w := &run{caller: c, request: requestID(r.RequestID), row: m, context: policy.Context{Purpose: row.Purpose, DataClass: row.DataClass}}
	if err := a.mayExplain(ctx, w, &r, row.ID); err != nil {
		return nil, err
	}
	if w.input, err = a.storedInput(ctx, row); err != nil {
		return nil, err
	}
	model, err := a.model(m)
	if err != nil {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "load", err)
	}
	return a.explain(ctx, w, row, model, r)
}

// mayExplain checks the method's name and asks the policy.
func (a *App) mayExplain(ctx context.Context, w *run, r *ExplainRequest, prediction string) error {
	m, ok := explain.Lookup(r.Method)
	if !ok {
		return fail(ErrUnknownMethod, "use one of "+strings.Join(explain.IDs(), ", "), "there is no method %q", clip(r.Method))
	}
	if _, err := m.Resolve(r.Params); err != nil {
		return explainError(err)
	}
	pc := w.context
	pc.Method = m.ID
	d, err := a.allow(ctx, ask{
		caller: w.caller, action: policy.Explain, object: "model:" + w.row.Name, context: pc, request: w.request,
		denied: "EXPLANATION.MADE.DENIED",
		event: func(e *audit.Event) {
			e.Model, e.DataClasses, e.Codes = modelLeaf(w.row), []string{pc.DataClass}, explainCodes(m.ID, prediction)
		},
	})
	w.explained = d
	return err
}

// explainable refuses what a model's description alone rules out: a method that does not
// suit it, and a class that it does not have.
func explainable(info inference.Info, r ExplainRequest) error {
	m, _ := explain.Lookup(r.Method)
	if ok, why := suits(info, m); !ok {
		return fail(ErrUnsuitable, "choose another method", "%s on %s: %s", m.ID, info.Name, why)
	}
	if r.Target == "" || info.Task == "token-classification" || slices.Contains(info.Labels, r.Target) {
		return nil
	}
	if n, err := strconv.Atoi(r.Target); err == nil && n >= 0 && n < len(info.Labels) {
		return nil
	}
	return fail(ErrUnknownLabel, "use one of "+strings.Join(info.Labels, ", ")+", or an index", "%s has no label %q", info.Name, clip(r.Target))
}

func explainCodes(method, prediction string) map[string]string {
	codes := map[string]string{"method": method}
	if m, ok := explain.Lookup(method); ok {
		codes["method_version"] = m.Version
	}
	if prediction != "" {
		codes["prediction"] = prediction
	}
	return codes
}

// explain runs a method that the policy allows, keeps the result with its log entry, and
// gives what the decision lets out.
func (a *App) explain(ctx context.Context, w *run, row *store.Prediction, model *inference.Model, r ExplainRequest) (*ExplanationView, error) {
	e, err := a.attribute(ctx, w, model, r)
	if err != nil {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "explain", err)
	}
	view, err := a.recordExplanation(ctx, w, row, e)
	if err != nil {
		return nil, err
	}
	revealExplanation(w.explained.Obligations, view)
	return view, nil
}

func (a *App) attribute(ctx context.Context, w *run, model *inference.Model, r ExplainRequest) (*explain.Explanation, error) {
	release, err := a.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	limited, stop := context.WithTimeout(ctx, maxRun)
	defer stop()
	e, err := explain.Explain(limited, explain.Request{
		Model: model, Input: w.input.seen, Method: r.Method, Params: r.Params, Target: r.Target,
		Seed: r.Seed, Threads: a.config.Threads,
	})
	if err != nil {
		return nil, tooLong(ctx, explainError(err))
	}
	// From here on nothing shows more than the kept input does.
	e.Tokens = w.input.tokens(e.Tokens)
	return e, nil
}

// explainError brings an explanation's error into this package's terms.
func explainError(err error) error {
	switch {
	case errors.Is(err, explain.ErrUnknownMethod):
		return fail(ErrUnknownMethod, "use one of "+strings.Join(explain.IDs(), ", "), "%s", plain(err))
	case errors.Is(err, explain.ErrParam):
		return fail(ErrParam, "the method's parameters are listed with their ranges under /api/v1/models/NAME", "%s", plain(err))
	case errors.Is(err, explain.ErrUnsuitable):
		return fail(ErrUnsuitable, "choose another method", "%s", plain(err))
	case errors.Is(err, explain.ErrTarget):
		return fail(ErrUnknownLabel, "use a label of the model, or its index", "%s", plain(err))
	}
	return inputError(err)
}

// notExplained records that an allowed explanation could not be made.
func (a *App) notExplained(ctx context.Context, w *run, prediction, method, stage string, cause error) error {
	e := w.event("EXPLANATION.MADE.FAILED", "")
	e.Action, e.Decision, e.Codes = string(policy.Explain), decisionLeaf(w.explained), explainCodes(method, prediction)
	e.Codes["stage"], e.Reason = stage, failure(cause)
	if _, err := a.log.Append(context.WithoutCancel(ctx), e); err != nil {
		return fmt.Errorf("%w (and recording that failed: %w)", cause, err)
	}
	return cause
}
