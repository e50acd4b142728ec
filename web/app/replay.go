package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// ReplayView is the answer to a replay: identical bits, or different because of each of
// Differences.
type ReplayView struct {
	Explanation string               `json:"explanation"`
	Prediction  string               `json:"prediction"`
	Identical   bool                 `json:"identical"`
	Ran         bool                 `json:"ran"` // it was computed again
	Method      string               `json:"method"`
	Digest      string               `json:"digest"` // of the model that was used
	RecordHash  string               `json:"record_hash"`
	Differences []explain.Difference `json:"differences"`
	Receipt     ReceiptView          `json:"receipt"`
}

// ReplayExplanation makes a stored explanation again from what is stored, and compares it
// bit by bit. The record is first held against the commitment in the log: one that was
// changed since is an answer of its own, and is not computed. The caller must be allowed
// to explain the model by that method. The answer is recorded.
//
// Errors: [*Denied]; ErrNotFound; ErrBusy; the context's.
func (a *App) ReplayExplanation(ctx context.Context, c identity.Caller, id string) (*ReplayView, error) {
	e, err := a.storedExplanation(ctx, id)
	if err != nil {
		return nil, err
	}
	row, _, err := a.readable(ctx, c, e.Prediction)
	if err != nil {
		return nil, err
	}
	m, err := a.store.ModelByName(ctx, a.workspace, row.ModelName, row.ModelVersion)
	if err != nil {
		return nil, err
	}
	w := &run{caller: c, request: ulid.Make().String(), row: m, context: madeFor(row)}
	if err := a.mayExplain(ctx, w, &ExplainRequest{Method: e.Method}, row.ID); err != nil {
		return nil, err
	}
	v, err := a.replayRecord(ctx, w, row, e)
	if err != nil {
		return nil, a.notExplained(ctx, w, row.ID, e.Method, "replay", err)
	}
	v.Explanation, v.Prediction = e.ID, row.ID
	return v, a.recordReplay(ctx, w, v)
}

// replayRecord replays one record.
func (a *App) replayRecord(ctx context.Context, w *run, row *store.Prediction, e *store.Explanation) (*ReplayView, error) {
	v := &ReplayView{Method: e.Method, RecordHash: e.RecordHash, Digest: w.row.Digest, Differences: []explain.Difference{}}
	record, err := a.unseal(ctx, place{e.Subject, e.ID, "record"}, e.Record)
	if errors.Is(err, ErrInputNotKept) {
		v.Differences = append(v.Differences, explain.Difference{Code: "input-erased"})
		return v, nil
	}
	if err != nil {
		// Bytes that do not open are bytes that somebody changed.
		v.Differences = append(v.Differences, explain.Difference{Code: "record-changed"})
		return v, nil
	}
	if whole, err := a.asLogged(ctx, e, record); err != nil || !whole {
		v.Differences = append(v.Differences, explain.Difference{Code: "record-changed"})
		return v, err
	}
	model, err := a.model(w.row)
	if err != nil {
		return nil, err
	}
	q := explain.ReplayRequest{Record: record, Hash: e.RecordHash, Model: model, Threads: a.config.Threads}
	if err := a.replayInput(ctx, row, e, model, &q); err != nil {
		return nil, err
	}
	release, err := a.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	limited, stop := context.WithTimeout(ctx, maxRun)
	defer stop()
	r, err := explain.Replay(limited, q)
	if errors.Is(err, explain.ErrRecord) {
		v.Differences = append(v.Differences, explain.Difference{Code: "record-changed"})
		return v, nil
	}
	if err != nil {
		return nil, tooLong(ctx, explainError(err), maxRun)
	}
	v.Identical, v.Ran, v.Digest, v.Differences = r.Identical, r.Ran, r.Digest, append(v.Differences, r.Differences...)
	return v, nil
}

// replayInput adds what the model read, where it is still there.
func (a *App) replayInput(ctx context.Context, row *store.Prediction, e *store.Explanation, model *inference.Model, q *explain.ReplayRequest) error {
	in, err := a.storedInput(ctx, row)
	if errors.Is(err, ErrInputNotKept) {
		return nil
	}
	if err != nil {
		return err
	}
	q.Input = &in.seen
	if !model.Generates() {
		return nil
	}
	p, err := a.predictionView(ctx, row)
	if err != nil || p.Output.Generated == nil {
		return err
	}
	x, err := a.unsealExplanation(ctx, e)
	if err != nil {
		return err
	}
	q.Continuation, err = writtenText(model, p, x.Answer)
	return err
}

// asLogged says whether a record is the one that the log's entry commits to.
func (a *App) asLogged(ctx context.Context, e *store.Explanation, record []byte) (bool, error) {
	if err := a.log.Flush(ctx); err != nil {
		return false, fmt.Errorf("app: including the last entries: %w", err)
	}
	entry, err := a.log.Event(ctx, e.Event)
	if err != nil {
		return false, auditError(err)
	}
	key, err := a.subjectKey(ctx, e.Subject)
	if err != nil {
		return false, err
	}
	recordKey, err := audit.RecordKey(key, e.ID)
	if err != nil {
		return false, err
	}
	return entry.Event.Commitments["explanation"] == audit.Commit(recordKey, "explanation", record), nil
}

func (a *App) recordReplay(ctx context.Context, w *run, v *ReplayView) error {
	e := audit.Event{
		Code: "EXPLANATION.REPLAYED.OK", Actor: w.caller.ID, Auth: w.caller.Auth, Request: w.request, Action: string(policy.Explain), Object: "explanation:" + v.Explanation,
		Decision: decisionLeaf(w.explained), Model: modelLeaf(w.row), Purpose: w.context.Purpose, DataClasses: []string{w.context.DataClass},
		Codes: explainCodes(v.Method, v.Prediction), Numbers: map[string]int64{"differences": int64(len(v.Differences))},
	}
	e.Codes["result"] = "identical"
	if !v.Identical {
		e.Codes["result"], e.Codes["because"] = "different", v.Differences[0].Code
	}
	promise, err := a.log.Append(ctx, e)
	if err != nil {
		return err
	}
	v.Receipt = a.receipt(promise)
	return nil
}
