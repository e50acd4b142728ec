package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// notFound is the one answer for what is not there and for ids that cannot be.
func notFound(what string) error {
	return fail(ErrNotFound, "check the address", "there is no such %s", what)
}

// readable asks whether the caller may read one prediction, and reads its row. Only
// refusals of things that exist, or could, are recorded.
func (a *App) readable(ctx context.Context, c identity.Caller, id string) (*store.Prediction, policy.Decision, error) {
	return a.onPrediction(ctx, id, ask{caller: c, action: policy.PredictionRead, denied: "PREDICTION.READ.DENIED"})
}

// onPrediction asks whether the caller may do something with one prediction, under the
// purpose and the data class that it was made for, and reads its row. Whoever may not
// learns nothing of whether there is such a prediction.
func (a *App) onPrediction(ctx context.Context, id string, q ask) (*store.Prediction, policy.Decision, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return nil, policy.Decision{}, notFound("prediction")
	}
	row, err := a.store.Prediction(ctx, a.workspace, id)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return nil, policy.Decision{}, err
	}
	q.object = "prediction:" + id
	if !missing {
		q.context = madeFor(row)
	}
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, d, err
	}
	if missing {
		return nil, d, notFound("prediction")
	}
	return row, d, nil
}

// madeFor is what conditions see of a stored prediction.
func madeFor(row *store.Prediction) policy.Context {
	return policy.Context{Purpose: row.Purpose, DataClass: row.DataClass}
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
	if v.Reviews, err = a.reviewsOf(ctx, row.ID); err != nil {
		return nil, err
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

// withWords puts back the numbers that the tokens' own JSON leaves out.
func withWords(tokens []inference.Token, words []int) []inference.Token {
	content := 0
	for i := range tokens {
		if i < len(words) {
			tokens[i].Word = words[i]
		}
		tokens[i].Index = -1
		if !tokens[i].Special {
			tokens[i].Index = content
			content++
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

// Predictions lists predictions, newest first.
func (a *App) Predictions(ctx context.Context, c identity.Caller, q PredictionQuery) (*PredictionList, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.PredictionRead, denied: "PREDICTION.READ.DENIED"}); err != nil {
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
	list, err := a.briefs(ctx, c, f, q.Page)
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

func (a *App) briefs(ctx context.Context, c identity.Caller, f store.PredictionFilter, p Page) (*PredictionList, error) {
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
		b, err := a.brief(ctx, c, &rows[i])
		if err != nil {
			return nil, err
		}
		if b.Withheld && len(f.LabelIndexes) > 0 {
			continue // a row listed for its label would tell the label
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

// brief is one row of a list, as much of it as the caller may read: the policy may
// allow the list and refuse a row by its purpose or data class.
func (a *App) brief(ctx context.Context, c identity.Caller, row *store.Prediction) (PredictionBrief, error) {
	b := PredictionBrief{ID: row.ID, Time: time.UnixMilli(row.Created).UTC(), Task: row.Task, Purpose: row.Purpose, Actor: row.Actor,
		Model: ModelRef{Name: row.ModelName, Version: row.ModelVersion, Digest: row.ModelDigest}, Masked: int(row.Masked)}
	d := a.decide(ask{caller: c, action: policy.PredictionRead, object: "prediction:" + row.ID, context: madeFor(row)})
	if !d.Allow {
		b.Withheld = true
		return b, nil
	}
	v, err := a.predictionView(ctx, row)
	if errors.Is(err, ErrInputNotKept) {
		return b, nil // erased: the row says that there was a prediction, and no more
	}
	if err != nil {
		return b, err
	}
	remask(d.Obligations, v)
	reveal(d.Obligations, v)
	if len(v.Output.Labels) > 0 {
		b.Label, b.Score = v.Output.Labels[0].Label, v.Output.Labels[0].Score
	}
	text := []rune(v.Input.Text)
	b.Excerpt = string(text[:min(len(text), excerptLength)])
	return b, nil
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
