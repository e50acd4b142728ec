package app

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/web/store"
)

// maxAttention is the largest attention tensor that is kept, in values; larger ones
// are computed again by whoever wants them.
const maxAttention = 2 << 20

// keptExplanation is the JSON that is kept, encrypted: the view and the values that its
// own JSON leaves out. keptTensors is kept beside it, since lists do without.
type keptExplanation struct {
	View      ExplanationView `json:"view"`
	TokenWord []int           `json:"token_word"`
	Token     []float64       `json:"token"`
}

type keptTensors struct {
	Map       *keptTensor `json:"map,omitempty"`
	Attention *keptTensor `json:"attention,omitempty"`
}

// keptTensor holds its values as little-endian float32: exact, and a third of their size
// as text.
type keptTensor struct {
	Shape []int  `json:"shape"`
	Data  []byte `json:"data"`
}

func keepTensor(t *inference.Tensor) *keptTensor {
	if t == nil {
		return nil
	}
	k := &keptTensor{Shape: t.Shape, Data: make([]byte, 0, 4*len(t.Data))}
	for _, x := range t.Data {
		k.Data = binary.LittleEndian.AppendUint32(k.Data, math.Float32bits(x))
	}
	return k
}

func (k *keptTensor) tensor() *inference.Tensor {
	if k == nil {
		return nil
	}
	t := &inference.Tensor{Shape: k.Shape, Data: make([]float32, len(k.Data)/4)}
	for i := range t.Data {
		t.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(k.Data[4*i:]))
	}
	return t
}

// recordExplanation keeps an explanation and its log entry, both or neither.
func (a *App) recordExplanation(ctx context.Context, w *run, of *store.Prediction, e *explain.Explanation, g *GateView, request string) (*ExplanationView, error) {
	v := explanationView(e)
	v.Gate, v.Answer = g, w.answer
	v.ID, v.Prediction, v.Time = ulid.Make().String(), of.ID, a.now().Truncate(time.Millisecond)
	v.Decision = decisionView(w.explained)
	key, err := a.subjectKey(ctx, of.Subject)
	if err != nil {
		return nil, err
	}
	recordKey, err := audit.RecordKey(key, v.ID)
	if err != nil {
		return nil, err
	}
	predictionKey, err := audit.RecordKey(key, of.ID)
	if err != nil {
		return nil, err
	}
	input, err := a.unseal(ctx, place{of.Subject, of.ID, "input"}, of.Input)
	if err != nil {
		return nil, err
	}
	// The same commitment as the prediction's: it ties the two records together.
	inputCommitment := audit.Commit(predictionKey, "input", input)
	err = e.Seal(explain.RecordContext{
		Workspace: a.workspace, Prediction: of.ID, Actor: w.caller.ID, Purpose: of.Purpose,
		ModelName: w.row.Name, ModelVersion: w.row.Version,
		PolicyVersion: w.explained.PolicyVersion, PolicyHash: w.explained.PolicyHash,
		InputCommitment: inputCommitment, Time: v.Time, Gate: gateRecord(g),
	})
	if err != nil {
		return nil, err
	}
	v.Record, v.RecordHash = e.Record, e.RecordHash
	row, err := a.explanationRow(ctx, w, of, v)
	if err != nil {
		return nil, err
	}
	row.Request = request
	event := audit.Event{
		ID: row.Event, Time: audit.FormatTime(v.Time), Code: "EXPLANATION.MADE.OK",
		Actor: w.caller.ID, Auth: w.caller.Auth, Request: w.request, Action: string(policy.Explain), Object: "explanation:" + v.ID,
		Decision: decisionLeaf(w.explained), Model: modelLeaf(w.row), Purpose: of.Purpose, DataClasses: []string{of.DataClass},
		Commitments: map[string]string{"input": inputCommitment, "explanation": audit.Commit(recordKey, "explanation", v.Record)},
		Codes:       explainCodes(v.Method, of.ID),
		Numbers:     map[string]int64{"gradients": int64(e.Gradients), "forwards": int64(e.Forwards)},
	}
	event.Codes["level"] = w.explained.Obligations.Level()
	if g != nil {
		row.Gate, event.Codes["gate"] = g.Action, "passed"
		event.Numbers["gate_reasons"] = int64(len(g.Reasons))
		if g.After != "" {
			event.Codes["after"] = strings.ToLower(g.After)
		}
		if !g.Passed {
			event.Codes["gate"], event.Codes["gate_reason"] = g.Action, g.Reasons[0].Code
		}
	}
	var promise audit.Promise
	err = a.db.Write(ctx, func(ctx context.Context) (err error) {
		if err := a.store.AddExplanation(ctx, row); err != nil {
			return err
		}
		if promise, err = a.log.Append(ctx, event); err != nil || row.Gate != policy.GateReview {
			return err
		}
		_, err = a.SendToReview(ctx, ReviewCase{Caller: w.caller, Request: w.request, Decision: w.explained, Prediction: of, Explanation: v.ID, Cause: ReviewGate, Codes: g.codes()})
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Receipt = a.receipt(promise)
	return v, nil
}

// gateRecord is the gate as the record holds it; nil where there was none.
func gateRecord(g *GateView) any {
	if g == nil {
		return nil
	}
	return g
}

func (a *App) explanationRow(ctx context.Context, w *run, of *store.Prediction, v *ExplanationView) (*store.Explanation, error) {
	kept := keptExplanation{View: *v, Token: v.Token}
	kept.View.Record = nil // kept beside it
	kept.View.Attributions = nil
	for _, t := range v.Tokens {
		kept.TokenWord = append(kept.TokenWord, t.Word)
	}
	result, err1 := json.Marshal(kept)
	decision, err2 := json.Marshal(v.Decision)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("app: encoding an explanation: %w", err)
	}
	row := &store.Explanation{
		ID: v.ID, Workspace: a.workspace, Created: v.Time.UnixMilli(), Prediction: of.ID, Subject: of.Subject,
		Actor: w.caller.ID, Method: v.Method, MethodVersion: v.Version, RecordHash: v.RecordHash,
		Decision: string(decision), Event: ulid.Make().String(), Seconds: v.Seconds,
	}
	if row.Result, err1 = a.seal(ctx, place{of.Subject, v.ID, "result"}, result); err1 != nil {
		return nil, err1
	}
	if v.Map != nil || v.Attention != nil {
		tensors, err := json.Marshal(keptTensors{keepTensor(v.Map), keepTensor(v.Attention)})
		if err != nil {
			return nil, fmt.Errorf("app: encoding an explanation: %w", err)
		}
		if row.Tensors, err = a.seal(ctx, place{of.Subject, v.ID, "tensors"}, tensors); err != nil {
			return nil, err
		}
	}
	if row.Record, err1 = a.seal(ctx, place{of.Subject, v.ID, "record"}, v.Record); err1 != nil {
		return nil, err1
	}
	return row, nil
}

// explanationView is an explanation in full.
func explanationView(e *explain.Explanation) *ExplanationView {
	v := &ExplanationView{
		Method: e.Method, Version: e.Version, Params: e.Params, Signed: e.Signed,
		Target: ExplanationTarget{Label: e.Target.Label, Index: e.Target.Index, Quantity: e.Target.Quantity, Token: e.Target.Token, Minus: e.Target.Minus, Words: e.Target.Words},
		Output: e.Output, BaselineOutput: e.BaselineOutput, Delta: e.Delta, Gradients: e.Gradients,
		Tokens: e.Tokens, Token: e.Attributions, Map: e.Map, Layer: e.Layer, Grid: e.Grid,
		Metrics: []MetricView{}, Warnings: e.Warnings, Seconds: e.Seconds,
	}
	if e.Attention != nil && len(e.Attention.Data) <= maxAttention {
		v.Attention = e.Attention
	}
	if e.Companion != nil {
		v.Companion = &CompanionView{Method: e.Companion.Method, Attributions: e.Companion.Attributions}
	}
	for _, m := range e.Metrics {
		v.Metrics = append(v.Metrics, MetricView{ID: m.ID, Value: m.Value, Control: m.Control, Low: m.Low, High: m.High, P: m.P,
			Higher: m.Higher, Mode: m.Mode, Draws: m.Draws, Fractions: m.Fractions, Steps: m.Steps})
	}
	for _, x := range e.Windows {
		v.Windows = append(v.Windows, inference.WindowNote{Start: x.Start, End: x.End, Tokens: x.Count})
	}
	for _, x := range explain.Words(e) {
		v.Words = append(v.Words, WordView{Text: x.Text, Start: x.Start, End: x.End, Attribution: x.Value})
	}
	return v
}

func (v *ExplanationView) brief() ExplanationBrief {
	b := ExplanationBrief{ID: v.ID, Time: v.Time, Method: v.Method, Target: v.Target.Label, Delta: v.Delta}
	if v.Target.Words > 0 { // the label is what was written, which this reader's masks may cover
		b.Target, b.Word, b.Answer = "", &v.Target.Index, v.Answer
	}
	if v.Gate != nil {
		b.Gate = v.Gate.Action
	}
	return b
}
