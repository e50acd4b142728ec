package app

import (
	"cmp"
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
	"vitrine/web/store"
)

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
	if v.ID == "" {
		v.ID = newID()
	}
	v.Time = a.now().Truncate(time.Millisecond)
	id, key, err := a.subject(ctx, subject)
	if err != nil {
		return nil, err
	}
	plain, err := w.plain(v)
	if err != nil {
		return nil, err
	}
	row, err := a.predictionRow(ctx, w, id, v, plain)
	if err != nil {
		return nil, err
	}
	recordKey, err := audit.RecordKey(key, v.ID)
	if err != nil {
		return nil, err
	}
	e := w.event("PREDICTION.MADE.OK", row.Event)
	e.Object, e.Time = "prediction:"+v.ID, audit.FormatTime(v.Time)
	e.Commitments = map[string]string{
		"input":   audit.Commit(recordKey, "input", plain.input),
		"output":  audit.Commit(recordKey, "output", plain.output),
		"subject": audit.Commit(recordKey, "subject", []byte(id)),
	}
	e.Numbers = map[string]int64{"masked": row.Masked, "tokens": int64(len(v.Tokens)), "windows": int64(max(1, len(v.Windows)))}
	e.Codes["task"] = v.Task
	finish(&e, v)
	var promise audit.Promise
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if err := a.store.AddPrediction(ctx, row); err != nil {
			return err
		}
		if promise, err = a.log.Append(ctx, e); err != nil || !w.decision.Obligations.Review {
			return err
		}
		_, err = a.SendToReview(ctx, ReviewCase{Caller: w.caller, Request: w.request, Decision: w.decision, Prediction: row, Cause: ReviewRule})
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Receipt = a.receipt(promise)
	return row, nil
}

// newID names a prediction or an event.
func newID() string { return ulid.Make().String() }

// plainFields are a prediction's encrypted fields before they are; nil = none.
type plainFields struct{ input, output, picture, clear []byte }

func (w *run) plain(v *PredictionView) (p plainFields, err error) {
	in := sealedInput{InputView: w.input.kept}
	if p.picture = w.input.image; p.picture != nil {
		in.Picture = fmt.Sprintf("%x", sha256.Sum256(p.picture))
	}
	words := make([]int, len(v.Tokens))
	for i, t := range v.Tokens {
		words[i] = t.Word
	}
	var errs [3]error
	p.input, errs[0] = json.Marshal(in)
	p.output, errs[1] = json.Marshal(sealedOutput{v.Output, v.Tokens, words, v.Windows, v.Unknown, v.Warnings})
	if w.input.clear {
		p.clear, errs[2] = json.Marshal(sealedInput{InputView: InputView{Modality: "text", Text: w.input.seen.Text, Pair: w.input.seen.Pair}})
	}
	if err := errors.Join(errs[:]...); err != nil {
		return p, fmt.Errorf("app: encoding a prediction: %w", err)
	}
	return p, nil
}

// predictionRow seals what is kept of a prediction, for the person with the given id.
func (a *App) predictionRow(ctx context.Context, w *run, id string, v *PredictionView, plain plainFields) (*store.Prediction, error) {
	decision, err := json.Marshal(v.Decision)
	if err != nil {
		return nil, fmt.Errorf("app: encoding a decision: %w", err)
	}
	row := &store.Prediction{
		ID: v.ID, Workspace: a.workspace, Created: v.Time.UnixMilli(), Actor: w.caller.ID, Subject: id,
		ModelName: w.row.Name, ModelVersion: w.row.Version, ModelDigest: w.row.Digest,
		Task: v.Task, Modality: v.Input.Modality, Purpose: v.Purpose, DataClass: v.DataClass,
		Masked: int64(len(v.Input.Masked)), Decision: string(decision), Event: cmp.Or(v.Receipt.Event, newID()), Seconds: v.Seconds,
	}
	if row.LabelIndex, err = a.labelIndex(ctx, best(v)); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name  string
		plain []byte
		to    *[]byte
	}{{"input", plain.input, &row.Input}, {"output", plain.output, &row.Output}, {"picture", plain.picture, &row.Picture}, {"clear", plain.clear, &row.Clear}} {
		if f.plain == nil {
			continue
		}
		if *f.to, err = a.seal(ctx, place{id, v.ID, f.name}, f.plain); err != nil {
			return nil, err
		}
	}
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
		Action: string(cmp.Or(w.action, policy.Predict)), Object: "model:" + w.row.Name, Decision: decisionLeaf(w.decision),
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
	case errors.Is(err, ErrStopped):
		return "model-stopped"
	case errors.Is(err, ErrBusy):
		return "busy"
	case errors.As(err, new(*QuotaError)):
		return "quota-used-up"
	case errors.Is(err, inference.ErrUnsupported), errors.Is(err, ErrUnsuitable):
		return "not-supported"
	}
	return "internal"
}
