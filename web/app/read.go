package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
	"vitrine/web/store"
)

// notFound is the one answer for what is not there and for ids that cannot be.
func notFound(what string) error {
	return fail(ErrNotFound, "check the address", "there is no such %s", what)
}

// readable asks whether the caller may read one prediction, and reads its row. Only
// refusals of things that exist, or could, are recorded.
func (a *App) readable(ctx context.Context, c identity.Caller, id string) (*store.Prediction, policy.Decision, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, policy.Decision{}, notFound("prediction")
	}
	d, err := a.allow(ctx, ask{caller: c, action: policy.PredictionRead, object: "prediction:" + id, denied: "PREDICTION.READ.DENIED"})
	if err != nil {
		return nil, d, err
	}
	row, err := a.store.Prediction(ctx, a.workspace, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, d, notFound("prediction")
	}
	return row, d, err
}

// Prediction returns one prediction as the caller may see it.
func (a *App) Prediction(ctx context.Context, c identity.Caller, id string) (*PredictionView, error) {
	row, d, err := a.readable(ctx, c, id)
	if err != nil {
		return nil, err
	}
	v, err := a.predictionView(ctx, row)
	if err != nil {
		return nil, err
	}
	remask(d.Obligations, v)
	reveal(d.Obligations, v)
	if v.Receipt, err = a.receiptOf(ctx, row.Event); err != nil {
		return nil, err
	}
	list, err := a.store.ExplanationsOf(ctx, a.workspace, row.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		x, err := a.unsealExplanation(ctx, &e)
		if err != nil {
			return nil, err
		}
		// Figures of a brief follow the same rule as the explanation behind it.
		o, _, err := a.explanationObligations(c, row, e.Method, d)
		if err != nil {
			v.ExplanationsWithheld++
			continue
		}
		revealExplanation(o, x)
		v.Explanations = append(v.Explanations, x.brief())
	}
	a.noteRead(c, d, row.ID)
	return v, nil
}

// noteRead records that somebody looked at a prediction, without waiting.
func (a *App) noteRead(c identity.Caller, d policy.Decision, id string) {
	err := a.log.Note(audit.Event{
		Code: "PREDICTION.READ.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.PredictionRead),
		Object: "prediction:" + id, Decision: decisionLeaf(d),
	})
	if err != nil {
		a.config.Logger.Warn("a reading was not recorded", "error", err)
	}
}

// predictionView opens a stored prediction.
func (a *App) predictionView(ctx context.Context, row *store.Prediction) (*PredictionView, error) {
	input, err := a.unseal(ctx, place{row.Subject, row.ID, "input"}, row.Input)
	if err != nil {
		return nil, err
	}
	output, err := a.unseal(ctx, place{row.Subject, row.ID, "output"}, row.Output)
	if err != nil {
		return nil, err
	}
	var in sealedInput
	var out sealedOutput
	v := &PredictionView{
		ID: row.ID, Time: time.UnixMilli(row.Created).UTC(),
		Model: ModelRef{Name: row.ModelName, Version: row.ModelVersion, Digest: row.ModelDigest},
		Task:  row.Task, Purpose: row.Purpose, DataClass: row.DataClass, Actor: row.Actor, Seconds: row.Seconds,
	}
	err = errors.Join(json.Unmarshal(input, &in), json.Unmarshal(output, &out), json.Unmarshal([]byte(row.Decision), &v.Decision))
	if err != nil {
		return nil, fmt.Errorf("app: reading prediction %s: %w", row.ID, err)
	}
	v.Input, v.Output, v.Tokens = in.InputView, out.Output, withWords(out.Tokens, out.Words)
	v.Windows, v.Unknown, v.Warnings = out.Windows, out.Unknown, out.Warnings
	return v, nil
}

// withWords puts word numbers back, which the tokens' own JSON leaves out.
func withWords(tokens []inference.Token, words []int) []inference.Token {
	for i := range tokens {
		if i < len(words) {
			tokens[i].Word = words[i]
		}
	}
	return tokens
}

// storedInput is the input of a stored prediction as the model saw it.
func (a *App) storedInput(ctx context.Context, row *store.Prediction) (*protected, error) {
	raw, err := a.unseal(ctx, place{row.Subject, row.ID, "input"}, row.Input)
	if err != nil {
		return nil, err
	}
	var in sealedInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("app: reading the input of %s: %w", row.ID, err)
	}
	p := &protected{kept: in.InputView, seen: inference.Input{Text: in.Text, Pair: in.Pair}}
	if row.Picture != nil {
		if p.image, err = a.unseal(ctx, place{row.Subject, row.ID, "picture"}, row.Picture); err != nil {
			return nil, err
		}
		p.seen.Image = p.image
	}
	if row.Clear == nil {
		return p, nil
	}
	clear, err := a.clearInput(ctx, row)
	if err != nil {
		return nil, err
	}
	var d DecisionView
	if err := json.Unmarshal([]byte(row.Decision), &d); err != nil {
		return nil, fmt.Errorf("app: reading the decision of %s: %w", row.ID, err)
	}
	again := &protected{kept: in.InputView, clear: true, seen: inference.Input{Text: clear.Text, Pair: clear.Pair}}
	masked, offsets := again.mask(d.Obligations, clear.Text)
	again.offsets = offsets
	if clear.Pair != nil {
		_, again.pairs = again.mask(d.Obligations, *clear.Pair)
	}
	if masked != in.Text {
		return nil, fail(ErrInputNotKept, "predict again", "this version of the program masks the text in another way than the one that stored it")
	}
	return again, nil
}

func (a *App) clearInput(ctx context.Context, row *store.Prediction) (*sealedInput, error) {
	raw, err := a.unseal(ctx, place{row.Subject, row.ID, "clear"}, row.Clear)
	if err != nil {
		return nil, err
	}
	var in sealedInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("app: reading the input of %s: %w", row.ID, err)
	}
	return &in, nil
}

// Predictions lists predictions, newest first.
func (a *App) Predictions(ctx context.Context, c identity.Caller, q PredictionQuery) (*PredictionList, error) {
	d, err := a.allow(ctx, ask{caller: c, action: policy.PredictionRead, denied: "PREDICTION.READ.DENIED"})
	if err != nil {
		return nil, err
	}
	if q.Before != "" {
		if _, err := ulid.ParseStrict(q.Before); err != nil {
			return nil, fail(ErrInput, "use the cursor that the part before ended with", "the cursor is not one of this list's")
		}
	}
	f := store.PredictionFilter{Model: q.Model, Purpose: q.Purpose, Actor: q.Actor, After: milli(q.After), Until: milli(q.Until)}
	if q.Label != "" {
		index, err := a.labelIndex(ctx, q.Label)
		if err != nil {
			return nil, err
		}
		f.LabelIndexes = []string{index}
	}
	list, err := a.briefs(ctx, d.Obligations, f, q.Page)
	if err != nil {
		return nil, err
	}
	list.Total, _, err = a.store.CountPredictions(ctx, a.workspace, f)
	return list, err
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (a *App) briefs(ctx context.Context, o policy.Obligations, f store.PredictionFilter, p Page) (*PredictionList, error) {
	rows, more, err := a.store.Predictions(ctx, a.workspace, f, p.Before, p.Limit)
	if err != nil {
		return nil, err
	}
	list := &PredictionList{Items: []PredictionBrief{}}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	methods, err := a.store.MethodsOf(ctx, a.workspace, ids)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		b, err := a.brief(ctx, o, &rows[i])
		if err != nil {
			return nil, err
		}
		b.Methods = methods[b.ID]
		list.Items = append(list.Items, b)
	}
	if more {
		list.Next = rows[len(rows)-1].ID
	}
	return list, nil
}

// excerptLength is how many characters of a text a list shows.
const excerptLength = 120

func (a *App) brief(ctx context.Context, o policy.Obligations, row *store.Prediction) (PredictionBrief, error) {
	b := PredictionBrief{ID: row.ID, Time: time.UnixMilli(row.Created).UTC(), Task: row.Task, Purpose: row.Purpose, Actor: row.Actor,
		Model: ModelRef{Name: row.ModelName, Version: row.ModelVersion, Digest: row.ModelDigest}, Masked: int(row.Masked)}
	v, err := a.predictionView(ctx, row)
	if errors.Is(err, ErrInputNotKept) {
		return b, nil // erased: the row says that there was a prediction, and no more
	}
	if err != nil {
		return b, err
	}
	remask(o, v)
	reveal(o, v)
	if len(v.Output.Labels) > 0 {
		b.Label, b.Score = v.Output.Labels[0].Label, v.Output.Labels[0].Score
	}
	text := []rune(v.Input.Text)
	b.Excerpt = string(text[:min(len(text), excerptLength)])
	return b, nil
}

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

// Explanation returns a stored explanation as the caller may see it.
func (a *App) Explanation(ctx context.Context, c identity.Caller, id string) (*ExplanationView, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, notFound("explanation")
	}
	e, err := a.store.Explanation(ctx, a.workspace, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("explanation")
	}
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
	p.Tokens, p.Output = v.Tokens, OutputView{}
	remask(o, p)
	v.Tokens = p.Tokens
	if len(p.Input.Masked) > len(before) {
		v.Words = nil // they hold the text
	}
	return nil
}

// InputImage returns the stored picture of a prediction, encoded as it came.
func (a *App) InputImage(ctx context.Context, c identity.Caller, id string) (data []byte, mediaType string, err error) {
	row, _, err := a.readable(ctx, c, id)
	if err != nil {
		return nil, "", err
	}
	if row.Modality != "image" {
		return nil, "", notFound("picture")
	}
	p, err := a.storedInput(ctx, row)
	if err != nil {
		return nil, "", err
	}
	return p.image, http.DetectContentType(p.image), nil
}

// maxReason bounds a sentence that is committed to, in characters.
const maxReason = 500

// Reveal returns the clear text of a prediction whose rule kept it, and records that the
// caller saw it, with a commitment to the reason. ErrInputNotKept where only masked text
// was kept.
func (a *App) Reveal(ctx context.Context, c identity.Caller, id, reason string) (*InputView, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, notFound("prediction")
	}
	if n := len([]rune(reason)); n == 0 || n > maxReason {
		return nil, fail(ErrInput, "say in one sentence why", "a reason of 1 to %d characters is needed", maxReason)
	}
	d, err := a.allow(ctx, ask{caller: c, action: policy.PredictionReveal, object: "prediction:" + id, denied: "PREDICTION.REVEALED.DENIED"})
	if err != nil {
		return nil, err
	}
	row, err := a.store.Prediction(ctx, a.workspace, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("prediction")
	}
	if err != nil {
		return nil, err
	}
	if row.Clear == nil {
		return nil, fail(ErrInputNotKept, "a rule with model-sees-clear keeps it, for later predictions", "only the masked text of this prediction was kept")
	}
	key, err := a.subjectKey(ctx, row.Subject)
	if err != nil {
		return nil, err
	}
	in, err := a.clearInput(ctx, row)
	if err != nil {
		return nil, err
	}
	recordKey, err := audit.RecordKey(key, row.ID)
	if err != nil {
		return nil, err
	}
	_, err = a.log.Append(ctx, audit.Event{
		Code: "PREDICTION.REVEALED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.PredictionReveal), Object: "prediction:" + id,
		Decision: decisionLeaf(d), Commitments: map[string]string{"reason": audit.Commit(recordKey, "reason", []byte(reason))},
	})
	if err != nil {
		return nil, err
	}
	in.Kept, in.Bytes, in.Masked = true, len(in.Text), []privacy.Finding{}
	return &in.InputView, nil
}
