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
	return a.explainStored(ctx, c, predictionID, r, nil)
}

// beginExplain asks for both permissions and opens the input.
func (a *App) beginExplain(ctx context.Context, c identity.Caller, predictionID string, r *ExplainRequest) (*run, *store.Prediction, error) {
	row, _, err := a.readable(ctx, c, predictionID)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.store.ModelByName(ctx, a.workspace, row.ModelName, row.ModelVersion)
	if err != nil {
		return nil, nil, err
	}
	w := &run{caller: c, request: requestID(r.RequestID), row: m, context: policy.Context{Purpose: row.Purpose, DataClass: row.DataClass}}
	if err := a.mayExplain(ctx, w, r, row.ID); err != nil {
		return nil, nil, err
	}
	if err := a.spend(ctx, w); err != nil {
		return nil, nil, err
	}
	w.input, err = a.storedInput(ctx, row)
	return w, row, err
}

// explainStored is Explain; meter, of a job, is told the runs of the model.
func (a *App) explainStored(ctx context.Context, c identity.Caller, predictionID string, r ExplainRequest, meter *meter) (*ExplanationView, error) {
	w, row, err := a.beginExplain(ctx, c, predictionID, &r)
	if err != nil {
		return nil, err
	}
	w.meter = meter
	m := w.row
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

// explain runs a method that the policy allows, lets the gate judge the result, keeps it
// with its log entry, and gives what the decision lets out. Where the gate says to fall
// back it goes on with the next method; each attempt is kept. What is known already is
// not computed again.
func (a *App) explain(ctx context.Context, w *run, row *store.Prediction, model *inference.Model, r ExplainRequest) (*ExplanationView, error) {
	var tried []string
	after := ""
	for {
		view, err := a.explainOnce(ctx, w, row, model, r, tried, after)
		if err != nil {
			return nil, err
		}
		if view.Gate == nil || view.Gate.Next == "" {
			if err := a.openHeld(ctx, w.caller, row, view); err != nil {
				return nil, err
			}
			revealExplanation(w.explained.Obligations, view)
			return view, nil
		}
		tried, after = append(tried, r.Method), view.ID
		r.Method, r.Params = view.Gate.Next, nil
		if w.explained = a.mayFallBack(w, r.Method); !w.explained.Allow {
			return nil, &Denied{Decision: decisionView(w.explained)} // the policy changed meanwhile
		}
	}
}

func (a *App) explainOnce(ctx context.Context, w *run, row *store.Prediction, model *inference.Model, r ExplainRequest, tried []string, after string) (*ExplanationView, error) {
	if err := a.readWritten(ctx, w, row, model, r); err != nil {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "explain", err)
	}
	hash, err := requestHash(w, model.Info().Digest, r)
	if err != nil {
		return nil, explainError(err)
	}
	if v, err := a.knownExplanation(ctx, w, row, hash); v != nil || err != nil {
		return v, err
	}
	others, err := a.others(ctx, row, r, model.Info())
	if err != nil {
		return nil, err
	}
	e, err := a.attribute(ctx, w, model, r, others)
	if err != nil {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "explain", err)
	}
	g, err := a.gate(ctx, w, e, tried, after)
	if err != nil {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "explain", err)
	}
	return a.recordExplanation(ctx, w, row, e, g, hash)
}

func (a *App) attribute(ctx context.Context, w *run, model *inference.Model, r ExplainRequest, others []*explain.Explanation) (*explain.Explanation, error) {
	release, err := a.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	engine, limit := explain.Engine(model), maxRun
	if w.meter != nil {
		engine, limit = w.meter.on(model), maxJobRun
	}
	limited, stop := context.WithTimeout(ctx, limit)
	defer stop()
	e, err := explain.Explain(limited, explain.Request{
		Model: engine, Input: w.input.seen, Continuation: w.written, Method: r.Method, Params: r.Params, Target: r.Target,
		Seed: r.Seed, Threads: a.config.Threads, Others: others,
	})
	if err != nil {
		return nil, tooLong(ctx, explainError(err), limit)
	}
	// From here on nothing shows more than the kept input does.
	if w.written == nil { // the tokens of a written text are in these terms already
		e.Tokens = w.input.tokens(e.Tokens)
	}
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
