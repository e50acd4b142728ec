package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/inference"
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
	row     *store.Model
	context policy.Context
	input   *protected
	// decision is that of action predict, explained that of action explain.
	decision, explained policy.Decision
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
	if r.Explain != nil {
		if err := a.mayExplain(ctx, w, r.Explain, ""); err != nil {
			return nil, err
		}
	}
	model, err := a.model(w.row)
	if err != nil {
		return nil, a.failed(ctx, w, "load", err)
	}
	if r.Explain != nil {
		// What can be known to fail must not leave a prediction behind.
		if err := explainable(model.Info(), *r.Explain); err != nil {
			return nil, a.failed(ctx, w, "explain", err)
		}
	}
	if w.input, err = protect(w.decision.Obligations, r.Text, r.Pair, r.Image); err != nil {
		return nil, a.failed(ctx, w, "protect", err)
	}
	if err := fits(w.row, w.input); err != nil {
		return nil, a.failed(ctx, w, "protect", err)
	}
	answer, err := a.infer(ctx, model, w.input.seen)
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
	w := &run{caller: c, request: requestID(r.RequestID), row: row, context: policy.Context{Purpose: p, DataClass: class}}
	modality := "text"
	if len(r.Image) > 0 {
		modality = "image"
	}
	w.decision, err = a.allow(ctx, ask{
		caller: c, action: policy.Predict, object: "model:" + row.Name, context: w.context, request: w.request,
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
func (a *App) infer(ctx context.Context, m *inference.Model, in inference.Input) (*inference.Prediction, error) {
	release, err := a.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := m.Predict(ctx, in)
	return p, inputError(err)
}

// inputError brings an engine's error into this package's terms.
func inputError(err error) error {
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

// keep is the answer in the terms of what is stored: nothing of it shows more than the
// kept input does.
func (w *run) keep(p *inference.Prediction) *PredictionView {
	v := &PredictionView{
		Model: modelRef(w.row), Task: p.Task, Input: w.input.kept,
		Output:  OutputView{Labels: p.Labels, Entities: w.input.entities(p.Entities), Vector: p.Vector},
		Tokens:  w.input.tokens(p.Tokens),
		Windows: p.Windows, Unknown: p.Unknown,
		Purpose: w.context.Purpose, DataClass: w.context.DataClass,
		Actor: w.caller.ID, Decision: decisionView(w.decision),
	}
	if p.Answer != nil {
		v.Output.Answer = &w.input.entities([]inference.Entity{*p.Answer})[0]
	}
	if p.Unknown > unknownShare {
		v.Warnings = append(v.Warnings, warnUnknown)
	}
	return v
}

// sealedInput and sealedOutput are the JSON that is kept, encrypted. A picture is kept
// beside it, and named by its SHA-256, so that one commitment covers both.
type sealedInput struct {
	InputView
	Picture string `json:"picture,omitempty"`
}

type sealedOutput struct {
	Output   OutputView             `json:"output"`
	Tokens   []inference.Token      `json:"tokens"`
	Words    []int                  `json:"words"` // of Tokens
	Windows  []inference.WindowNote `json:"windows,omitempty"`
	Unknown  float64                `json:"unknown"`
	Warnings []string               `json:"warnings,omitempty"`
}

// record keeps a prediction and its log entry, both or neither. It completes v.
func (a *App) record(ctx context.Context, w *run, subject string, v *PredictionView) (*store.Prediction, error) {
	v.ID, v.Time = ulid.Make().String(), a.now().Truncate(time.Millisecond)
	id, key, err := a.subject(ctx, subject)
	if err != nil {
		return nil, err
	}
	recordKey, err := audit.RecordKey(key, v.ID)
	if err != nil {
		return nil, err
	}
	in := sealedInput{InputView: w.input.kept}
	if w.input.image != nil {
		in.Picture = fmt.Sprintf("%x", sha256.Sum256(w.input.image))
	}
	input, err1 := json.Marshal(in)
	words := make([]int, len(v.Tokens))
	for i, t := range v.Tokens {
		words[i] = t.Word
	}
	output, err2 := json.Marshal(sealedOutput{v.Output, v.Tokens, words, v.Windows, v.Unknown, v.Warnings})
	decision, err3 := json.Marshal(v.Decision)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("app: encoding a prediction: %w", err)
	}
	row := &store.Prediction{
		ID: v.ID, Workspace: a.workspace, Created: v.Time.UnixMilli(), Actor: w.caller.ID, Subject: id,
		ModelName: w.row.Name, ModelVersion: w.row.Version, ModelDigest: w.row.Digest,
		Task: v.Task, Modality: v.Input.Modality, Purpose: v.Purpose, DataClass: v.DataClass,
		Masked: int64(len(v.Input.Masked)), Decision: string(decision), Event: ulid.Make().String(), Seconds: v.Seconds,
	}
	if row.LabelIndex, err = a.labelIndex(ctx, best(v)); err != nil {
		return nil, err
	}
	fields := map[string][]byte{"input": input, "output": output}
	if w.input.image != nil {
		fields["picture"] = w.input.image
	}
	if w.input.clear {
		fields["clear"], err = json.Marshal(sealedInput{InputView: InputView{Modality: "text", Text: w.input.seen.Text, Pair: w.input.seen.Pair}})
		if err != nil {
			return nil, fmt.Errorf("app: encoding an input: %w", err)
		}
	}
	for field, plain := range fields {
		sealed, err := a.seal(ctx, place{id, v.ID, field}, plain)
		if err != nil {
			return nil, err
		}
		switch field {
		case "input":
			row.Input = sealed
		case "output":
			row.Output = sealed
		case "picture":
			row.Picture = sealed
		case "clear":
			row.Clear = sealed
		}
	}
	e := w.event("PREDICTION.MADE.OK", row.Event)
	e.Object, e.Time = "prediction:"+v.ID, audit.FormatTime(v.Time)
	e.Commitments = map[string]string{
		"input":   audit.Commit(recordKey, "input", input),
		"output":  audit.Commit(recordKey, "output", output),
		"subject": audit.Commit(recordKey, "subject", []byte(id)),
	}
	e.Numbers = map[string]int64{"masked": row.Masked, "tokens": int64(len(v.Tokens)), "windows": int64(max(1, len(v.Windows)))}
	var promise audit.Promise
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if err := a.store.AddPrediction(ctx, row); err != nil {
			return err
		}
		promise, err = a.log.Append(ctx, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Receipt = a.receipt(promise)
	return row, nil
}

// best is the label that lists show: that of the best class.
func best(v *PredictionView) string {
	if len(v.Output.Labels) == 0 {
		return ""
	}
	return v.Output.Labels[0].Label
}

// labelIndex is the keyed hash that a list finds a label by; "" for no label.
func (a *App) labelIndex(ctx context.Context, label string) (string, error) {
	if label == "" {
		return "", nil
	}
	own, err := a.ownKey(ctx, subjectLabels)
	if err != nil {
		return "", err
	}
	return audit.Commit(own, "label", []byte(label))[:32], nil
}

// event is a log entry about this run.
func (w *run) event(code, id string) audit.Event {
	modality := w.row.Modality
	if w.input != nil {
		modality = w.input.kept.Modality
	}
	return audit.Event{
		ID: id, Code: code, Actor: w.caller.ID, Auth: w.caller.Auth, Request: w.request,
		Action: string(policy.Predict), Object: "model:" + w.row.Name, Decision: decisionLeaf(w.decision),
		Model: modelLeaf(w.row), Purpose: w.context.Purpose, DataClasses: []string{w.context.DataClass},
		Codes: map[string]string{"task": w.row.Task, "modality": modality},
	}
}

// failed records that an allowed prediction could not be made, and returns why. A
// caller who went away is recorded too.
func (a *App) failed(ctx context.Context, w *run, stage string, cause error) error {
	e := w.event("PREDICTION.MADE.FAILED", "")
	e.Codes["stage"] = stage
	e.Reason = failure(cause)
	if _, err := a.log.Append(context.WithoutCancel(ctx), e); err != nil {
		return fmt.Errorf("%w (and recording that failed: %w)", cause, err)
	}
	return cause
}

// failure is the closed code of a cause.
func failure(err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	case errors.Is(err, ErrInput):
		return "input-not-usable"
	case errors.Is(err, ErrModelFolder), errors.Is(err, inference.ErrModel):
		return "model-not-usable"
	case errors.Is(err, ErrBusy):
		return "busy"
	case errors.Is(err, inference.ErrUnsupported), errors.Is(err, ErrUnsuitable):
		return "not-supported"
	}
	return "internal"
}
