package app

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/explain"
	"vitrine/inference"
	"vitrine/inference/generate"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// warnUnknown: the model does not know much of what it read. The code is that of
// package explain.
const warnUnknown = "unknown-tokens"

// unknownShare is the share of unknown tokens from which a warning is due.
const unknownShare = 0.2

// run is one walk along the road, from the question to the entry in the log.
type run struct {
	caller  identity.Caller
	request string
	action  policy.Action // predict or generate
	row     *store.Model
	context policy.Context
	input   *protected
	written *explain.Continuation // of a text that is explained
	answer  int                   // its number
	// decision is that of action, explained that of action explain.
	decision, explained policy.Decision
	// meter, of a job, counts the runs of the model.
	meter *meter
}

// Predict walks the whole road once. With r.Explain it also explains the answer, as an
// event of its own; both permissions are asked for before the model runs.
//
// Errors: [*Denied]; ErrUnknownModel, ErrUnknownPurpose, ErrInput, and with r.Explain
// ErrUnknownMethod, ErrParam, ErrUnsuitable, ErrUnknownLabel; ErrBusy; the context's.
func (a *App) Predict(ctx context.Context, c identity.Caller, r PredictRequest) (*PredictionView, error) {
	start := time.Now()
	w, err := a.begin(ctx, c, r)
	if err != nil {
		return nil, err
	}
	model, err := a.ready(ctx, w, r.Explain, explainable)
	if err != nil {
		return nil, err
	}
	if w.input, err = protect(w.decision.Obligations, r.Text, r.Pair, r.Image); err != nil {
		return nil, a.failed(ctx, w, "protect", err)
	}
	if err := fits(w.row, w.input); err != nil {
		return nil, a.failed(ctx, w, "protect", err)
	}
	answer, err := a.infer(ctx, w.row, model, w.input.seen)
	if err != nil {
		return nil, a.failed(ctx, w, "infer", err)
	}
	kept := w.keep(answer)
	kept.Seconds = time.Since(start).Seconds()
	row, err := a.record(ctx, w, r.Subject, kept)
	if err != nil {
		return nil, err
	}
	view := *kept
	if r.Explain != nil {
		if view.Explanation, err = a.explain(ctx, w, row, model, *r.Explain); err != nil {
			return nil, err
		}
		view.Explanations = []ExplanationBrief{view.Explanation.brief()}
	}
	reveal(w.decision.Obligations, &view)
	return &view, nil
}

// ready opens the model of a run that the policy allows, after asking for the permission
// to explain as well, and counts the run against its quotas. fits refuses an explanation that cannot be: what can be known to
// fail must not leave a prediction behind.
func (a *App) ready(ctx context.Context, w *run, e *ExplainRequest, fits func(inference.Info, ExplainRequest) error) (*inference.Model, error) {
	if err := runs(w.row); err != nil {
		return nil, a.failed(ctx, w, "stop", err)
	}
	if e != nil {
		if err := a.mayExplain(ctx, w, e, ""); err != nil {
			return nil, err
		}
	}
	// Here and not in begin: a preview and a data set that is handed in run nothing.
	if err := a.spend(ctx, w); err != nil {
		return nil, err
	}
	model, err := a.model(w.row)
	if err != nil {
		return nil, a.failed(ctx, w, "load", err)
	}
	if e != nil {
		if err := fits(model.Info(), *e); err != nil {
			return nil, a.failed(ctx, w, "explain", err)
		}
	}
	return model, nil
}

// begin checks the words of a request, finds the model and asks the policy.
func (a *App) begin(ctx context.Context, c identity.Caller, r PredictRequest) (*run, error) {
	p, err := purpose(r.Purpose)
	if err != nil {
		return nil, err
	}
	class, err := dataClass(r.DataClass)
	if err != nil {
		return nil, err
	}
	row, err := a.lookup(ctx, r.Model)
	if err != nil {
		return nil, err
	}
	w := &run{action: cmp.Or(r.action, policy.Predict), caller: c, request: requestID(r.RequestID), row: row, context: policy.Context{Purpose: p, DataClass: class}}
	modality := "text"
	if len(r.Image) > 0 {
		modality = "image"
	}
	w.decision, err = a.allow(ctx, ask{
		caller: c, action: w.action, object: "model:" + row.Name, context: w.context, request: w.request, once: r.once,
		denied: "PREDICTION.MADE.DENIED",
		event: func(e *audit.Event) {
			e.Model, e.DataClasses = modelLeaf(row), []string{class}
			e.Codes = map[string]string{"task": row.Task, "modality": modality}
		},
	})
	return w, err
}

// requestID keeps a request's own ULID, or makes one.
func requestID(given string) string {
	if _, err := ulid.ParseStrict(given); err == nil {
		return given
	}
	return ulid.Make().String()
}

// fits refuses a text for a model of pictures, and the other way round.
func fits(row *store.Model, in *protected) error {
	if row.Modality == in.kept.Modality {
		return nil
	}
	want := map[string]string{"text": "a text", "image": "a picture"}[row.Modality]
	return fail(ErrInput, "choose a model for this input", "%s reads %s", row.Name, want)
}

// infer runs the model's task, a bounded number of runs at a time.
func (a *App) infer(ctx context.Context, row *store.Model, m *inference.Model, in inference.Input) (*inference.Prediction, error) {
	asked := time.Now()
	release, err := a.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if time.Since(asked) > longWait {
		if err := a.stillRuns(ctx, row); err != nil {
			return nil, err
		}
	}
	limited, stop := context.WithTimeout(ctx, maxRun)
	defer stop()
	p, err := m.Predict(limited, in)
	return p, tooLong(ctx, inputError(err), maxRun)
}

// longWait is the wait for a place at the engine after which a stopped model is looked for
// again.
const longWait = 50 * time.Millisecond

// maxRun is how long one run of a model, or one explanation, may hold its place;
// maxJobRun that of a job.
const (
	maxRun    = 2 * time.Minute
	maxJobRun = 2 * time.Hour
)

// tooLong says so where the limit ended a run and not the caller.
func tooLong(ctx context.Context, err error, limit time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fail(ErrInput, "send a shorter text, or choose a cheaper method", "the run was ended after %s", limit)
	}
	return err
}

// inputError brings an engine's error into this package's terms.
func inputError(err error) error {
	if errors.Is(err, generate.ErrContext) {
		return fail(ErrContext, "shorten the prompt or ask for fewer tokens", "%s", plain(err))
	}
	if errors.Is(err, inference.ErrInput) {
		return fail(ErrInput, "change the input and try again", "%s", plain(err))
	}
	if errors.Is(err, inference.ErrUnsupported) {
		return fail(ErrInput, "send text, or a PNG or JPEG picture, that the model's task reads", "%s", plain(err))
	}
	return err
}

// slot waits for one of the places at the engine; release gives it back.
func (a *App) slot(ctx context.Context) (release func(), err error) {
	if a.waiting.Add(1) > maxWaiting {
		a.waiting.Add(-1)
		return nil, fail(ErrBusy, "try again in a few seconds", "%d requests wait for the model already", maxWaiting)
	}
	defer a.waiting.Add(-1)
	select {
	case a.slots <- struct{}{}:
		return func() { <-a.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
