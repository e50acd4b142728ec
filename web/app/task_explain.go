package app

import (
	"context"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// costly is the number of seconds from which a page explains by a job.
const costly = 4.0

// explanationTask is what an explanation by a job was asked.
type explanationTask struct {
	Method string         `json:"method"`
	Params map[string]any `json:"params,omitempty"`
	Target string         `json:"target,omitempty"`
	Seed   uint64         `json:"seed,omitempty"`
	Answer int            `json:"answer,omitempty"`
}

func init() {
	registerTask("explanation", taskKind{unit: "runs", work: func(ctx context.Context, a *App, t *task) (any, string, error) {
		var x explanationTask
		if err := a.taskRequest(ctx, t.row, &x); err != nil {
			return nil, "", err
		}
		r := ExplainRequest{Method: x.Method, Params: x.Params, Target: x.Target, Seed: x.Seed, Answer: x.Answer}
		v, err := a.explainStored(ctx, t.caller, t.row.Prediction, r, &meter{tell: t.tell})
		if err != nil {
			return nil, "", err
		}
		return nil, v.ID, nil
	}})
}

// StartExplanation explains a stored prediction by a job. What can be known to fail is
// refused now; errors as of Explain.
func (a *App) StartExplanation(ctx context.Context, c identity.Caller, predictionID string, r ExplainRequest) (*TaskView, error) {
	w, row, err := a.beginExplain(ctx, c, predictionID, &r)
	if err != nil {
		return nil, err
	}
	model, err := a.model(w.row)
	if err != nil {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "load", err)
	}
	if err := explainable(model.Info(), r); err != nil && !model.Generates() {
		return nil, a.notExplained(ctx, w, row.ID, r.Method, "explain", err)
	}
	var cost explain.Cost // of a text that was written nobody knows it before
	if !model.Generates() {
		cost, err = a.estimate(ctx, explain.Request{Model: model, Input: w.input.seen, Method: r.Method, Params: r.Params, Target: r.Target, Threads: a.config.Threads})
		if err != nil {
			return nil, a.notExplained(ctx, w, row.ID, r.Method, "explain", explainError(err))
		}
	}
	q := ask{caller: c, action: policy.Explain, request: w.request}
	t := &store.Task{Kind: "explanation", Model: w.row.Name + "@" + w.row.Version, Prediction: row.ID, Method: r.Method, Total: int64(cost.Forwards + cost.Gradients)}
	return a.startTask(ctx, q, w.explained, t, explanationTask{r.Method, r.Params, r.Target, r.Seed, r.Answer})
}

// ExplainSoon explains at once where that takes seconds, and by a job where it takes
// longer: exactly one of the two is returned. What is known already is answered at once.
func (a *App) ExplainSoon(ctx context.Context, c identity.Caller, predictionID string, r ExplainRequest) (*ExplanationView, *TaskView, error) {
	row, err := a.store.Prediction(ctx, a.workspace, predictionID)
	if err == nil && a.queue != nil {
		if seconds := a.expected(ctx, c, row, r); seconds > costly {
			t, err := a.StartExplanation(ctx, c, predictionID, r)
			return nil, t, err
		}
	}
	v, err := a.Explain(ctx, c, predictionID, r)
	return v, nil, err
}

// expected is the estimated time of an explanation, 0 where nobody knows.
func (a *App) expected(ctx context.Context, c identity.Caller, row *store.Prediction, r ExplainRequest) float64 {
	m, ok := explain.Lookup(r.Method)
	if !ok {
		return 0
	}
	v, err := a.predictionView(ctx, row)
	if err != nil {
		return 0
	}
	list, err := a.MethodsFor(ctx, c, row.ModelName+"@"+row.ModelVersion, row.Purpose, row.DataClass, len(v.Tokens))
	if err != nil {
		return 0
	}
	for _, x := range list {
		if x.ID == m.ID {
			return x.Seconds
		}
	}
	return 0
}
