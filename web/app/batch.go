package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// BatchRequest runs a model over a data set, each row a prediction on the one path, and
// with Explain an explanation of it. Data is JSON lines, CSV with a header, or a ZIP of
// pictures whose folders are their labels.
type BatchRequest struct {
	Model     string
	Format    string // jsonl, csv or zip
	Data      []byte
	Purpose   string
	DataClass string
	Explain   *ExplainRequest // nil = no explanations
	RequestID string
}

// BatchFormats are the formats of data sets.
var BatchFormats = []string{"jsonl", "csv", "zip"}

// batchTask is what a batch was asked.
type batchTask struct {
	Model     string           `json:"model"`
	Format    string           `json:"format"`
	Data      []byte           `json:"data"`
	Purpose   string           `json:"purpose"`
	DataClass string           `json:"data_class"`
	Explain   *explanationTask `json:"explain,omitempty"`
}

// batchOutcome is what one row became, and what the sums need of it.
type batchOutcome struct {
	Label       string  `json:"label,omitempty"` // given
	Slice       string  `json:"slice,omitempty"`
	Predicted   string  `json:"predicted,omitempty"`
	Score       float64 `json:"score,omitempty"`
	Prediction  string  `json:"prediction,omitempty"`
	Explanation string  `json:"explanation,omitempty"`
	Problem     string  `json:"problem,omitempty"` // closed code
}

func init() {
	registerTask("batch", taskKind{unit: "rows", work: func(ctx context.Context, a *App, t *task) (any, string, error) {
		r, err := a.runBatch(ctx, t)
		return r, "", err
	}})
}

// StartBatch runs a model over a data set by a job. A data set that cannot be read is
// refused whole, with the row that is wrong; a row that the model cannot use fails alone
// and is counted.
//
// Errors: [*Denied]; ErrInput; ErrUnknownModel, ErrUnknownPurpose, and with Explain those
// of Explain that can be known before.
func (a *App) StartBatch(ctx context.Context, c identity.Caller, r BatchRequest) (*TaskView, error) {
	w, err := a.begin(ctx, c, PredictRequest{Model: r.Model, Purpose: r.Purpose, DataClass: r.DataClass, RequestID: r.RequestID})
	if err != nil {
		return nil, err
	}
	x := batchTask{Model: w.row.Name + "@" + w.row.Version, Format: r.Format, Data: r.Data, Purpose: w.context.Purpose, DataClass: w.context.DataClass}
	t := &store.Task{Kind: "batch", Model: x.Model}
	if r.Explain != nil {
		if err := a.mayExplain(ctx, w, r.Explain, ""); err != nil {
			return nil, err
		}
		model, err := a.model(w.row)
		if err != nil {
			return nil, a.failed(ctx, w, "load", err)
		}
		if err := explainable(model.Info(), *r.Explain); err != nil {
			return nil, a.failed(ctx, w, "explain", err)
		}
		t.Method = r.Explain.Method
		x.Explain = &explanationTask{Method: r.Explain.Method, Params: r.Explain.Params, Target: r.Explain.Target, Seed: r.Explain.Seed}
	}
	rows, err := readBatch(r.Format, r.Data)
	if err != nil {
		return nil, a.failed(ctx, w, "protect", err)
	}
	for i, row := range rows {
		if got := row.modality(); got != w.row.Modality {
			return nil, a.failed(ctx, w, "protect", fail(ErrInput, "choose a model for this data set", "row %d holds %s, %s reads %s", i+1, got, w.row.Name, w.row.Modality))
		}
	}
	t.Total = int64(len(rows))
	return a.startTask(ctx, ask{caller: c, action: policy.Predict, request: w.request}, w.decision, t, x)
}

// runBatch goes on where an earlier process stopped: rows that became something are not
// run again.
func (a *App) runBatch(ctx context.Context, t *task) (*BatchResult, error) {
	var x batchTask
	if err := a.taskRequest(ctx, t.row, &x); err != nil {
		return nil, err
	}
	rows, err := readBatch(x.Format, x.Data)
	if err != nil {
		return nil, err
	}
	sums := newBatchSums(x)
	done, err := a.batchDone(ctx, t, sums)
	if err != nil {
		return nil, err
	}
	for i := done; i < len(rows); i++ {
		outcome, e, err := a.batchRow(ctx, t.caller, x, rows[i])
		if err != nil {
			return nil, err
		}
		sums.add(outcome, e)
		if err := a.keepOutcome(ctx, t, int64(i), outcome); err != nil {
			return nil, err
		}
		t.tell(int64(i + 1))
	}
	return sums.result(), nil
}

// batchDone adds up the rows that are done already and counts them.
func (a *App) batchDone(ctx context.Context, t *task, sums *batchSums) (int, error) {
	for n := 0; ; {
		list, err := a.store.TaskRows(ctx, t.row.ID, int64(n), store.MaxPage)
		if err != nil || len(list) == 0 {
			return n, err
		}
		for _, r := range list {
			raw, err := a.unseal(ctx, place{t.row.Actor, t.row.ID, fmt.Sprintf("row %d", r.Row)}, r.Outcome)
			if err != nil {
				return n, err
			}
			var o batchOutcome
			if err := json.Unmarshal(raw, &o); err != nil {
				return n, fmt.Errorf("app: reading a row of task %s: %w", t.row.ID, err)
			}
			var e *ExplanationView
			if o.Explanation != "" {
				if e, err = a.Explanation(ctx, t.caller, o.Explanation); err != nil {
					return n, err
				}
			}
			sums.add(o, e)
			n++
		}
	}
}

// batchRow walks the road with one row, waiting where the quota of a minute is used up.
// What is wrong with the row alone is its outcome; a refusal and a failure of the installation end the batch.
func (a *App) batchRow(ctx context.Context, c identity.Caller, x batchTask, row batchInput) (batchOutcome, *ExplanationView, error) {
	o := batchOutcome{Label: row.Label, Slice: row.Slice}
	r := PredictRequest{Model: x.Model, Text: row.Text, Pair: row.Pair, Image: row.Image, Purpose: x.Purpose, DataClass: x.DataClass, Subject: row.Subject}
	if x.Explain != nil {
		r.Explain = &ExplainRequest{Method: x.Explain.Method, Params: x.Explain.Params, Target: x.Explain.Target, Seed: x.Explain.Seed}
	}
	v, err := a.Predict(ctx, c, r)
	for used := (*QuotaError)(nil); errors.As(err, &used) && used.Span == "minute"; { // the next one has its own
		select {
		case <-ctx.Done():
			return o, nil, ctx.Err()
		case <-time.After(used.Again):
			v, err = a.Predict(ctx, c, r)
		}
	}
	for _, own := range []error{ErrInput, ErrUnsuitable, ErrUnknownLabel, explain.ErrNumber} {
		if errors.Is(err, own) {
			o.Problem = failure(err)
			return o, nil, nil
		}
	}
	if err != nil {
		return o, nil, err
	}
	o.Prediction = v.ID
	if len(v.Output.Labels) > 0 {
		o.Predicted, o.Score = v.Output.Labels[0].Label, v.Output.Labels[0].Score
	}
	if v.Explanation != nil {
		o.Explanation = v.Explanation.ID
	}
	return o, v.Explanation, nil
}

func (a *App) keepOutcome(ctx context.Context, t *task, n int64, o batchOutcome) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("app: encoding a row: %w", err)
	}
	row := &store.TaskRow{Task: t.row.ID, Row: n}
	if row.Outcome, err = a.seal(ctx, place{t.row.Actor, t.row.ID, fmt.Sprintf("row %d", n)}, raw); err != nil {
		return err
	}
	return a.db.Write(ctx, func(ctx context.Context) error { return a.store.AddTaskRow(ctx, row) })
}
