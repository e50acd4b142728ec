package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// sanityInputs is how many inputs a randomisation check explains at each step.
const sanityInputs = 4

func init() {
	registerTask("sanity", taskKind{unit: "steps", work: func(ctx context.Context, a *App, t *task) (any, string, error) {
		s, err := a.randomise(ctx, t)
		return s, "", err
	}})
}

// sanityTask is what a randomisation check was asked.
type sanityTask struct {
	Model  string `json:"model"`
	Method string `json:"method"`
}

// SanityView is the outcome of the randomisation check of a method on a model version.
type SanityView struct {
	Method   string               `json:"method"`
	Version  string               `json:"version"`
	Passed   bool                 `json:"passed"`
	Spearman float64              `json:"spearman"` // mean correlation with the first values when every weight is replaced
	Steps    []explain.SanityStep `json:"steps"`
}

// StartSanity checks a method on a model version with randomised weights, by a job, once:
// ErrExists where the outcome is known. The caller must be allowed to explain the model by
// that method.
//
// Errors: [*Denied]; ErrUnknownModel, ErrUnknownMethod, ErrUnsuitable, ErrInput, ErrExists.
func (a *App) StartSanity(ctx context.Context, c identity.Caller, model, method string) (*TaskView, error) {
	row, err := a.lookup(ctx, model)
	if err != nil {
		return nil, err
	}
	w := &run{caller: c, request: requestID(""), row: row, context: policy.Context{Purpose: policy.PurposeUnspecified, DataClass: policy.ClassDefault}}
	if err := a.mayExplain(ctx, w, &ExplainRequest{Method: method}, ""); err != nil {
		return nil, err
	}
	m, err := a.model(row)
	if err != nil {
		return nil, a.notExplained(ctx, w, "", method, "load", err)
	}
	known, _ := explain.Lookup(method)
	if ok, why := suits(m.Info(), known); !ok {
		return nil, a.notExplained(ctx, w, "", method, "explain", fail(ErrUnsuitable, "choose another method", "%s on %s: %s", method, row.Name, why))
	}
	passed, err := a.passedSanity(ctx, row.Digest, known)
	if err != nil {
		return nil, err
	}
	if passed != nil {
		return nil, fail(ErrExists, "its outcome stands on the model's page", "%s was checked on %s@%s already", method, row.Name, row.Version)
	}
	t := &store.Task{Kind: "sanity", Model: row.Name + "@" + row.Version, Method: method, Total: int64(m.Info().Layers + 2)}
	return a.startTask(ctx, ask{caller: c, action: policy.Explain, request: w.request}, w.explained, t, sanityTask{row.Name + "@" + row.Version, method})
}

// randomise makes the check and keeps its outcome.
func (a *App) randomise(ctx context.Context, t *task) (*explain.Sanity, error) {
	var x sanityTask
	if err := a.taskRequest(ctx, t.row, &x); err != nil {
		return nil, err
	}
	row, err := a.lookup(ctx, x.Model)
	if err != nil {
		return nil, err
	}
	w := &run{caller: t.caller, request: requestID(""), row: row, context: policy.Context{Purpose: policy.PurposeUnspecified, DataClass: policy.ClassDefault}}
	if err := a.mayExplain(ctx, w, &ExplainRequest{Method: x.Method}, ""); err != nil {
		return nil, err
	}
	inputs, err := a.sanityInputs(ctx, t.caller, row)
	if err != nil {
		return nil, err
	}
	fsys, err := checkpoint(row)
	if err != nil {
		return nil, err
	}
	release, err := a.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := explain.Randomise(ctx, explain.SanityRequest{Checkpoint: fsys, Inputs: inputs, Method: x.Method,
		Open: func(f fs.FS) (explain.Engine, error) {
			m, err := inference.OpenFS(f, row.Name)
			if err != nil {
				return nil, err
			}
			return m, nil
		},
		Progress: func(done, of int) {
			t.row.Total = int64(of)
			t.tell(int64(done))
		}})
	if err != nil {
		return nil, explainError(err)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("app: encoding a randomisation check: %w", err)
	}
	check := &store.SanityCheck{Workspace: a.workspace, Digest: row.Digest, Method: s.Method, Version: s.Version, Created: a.now().UnixMilli(), Result: string(raw)}
	if s.Passed {
		check.Passed = 1
	}
	err = a.db.Write(ctx, func(ctx context.Context) error { return a.store.AddSanityCheck(ctx, check) })
	if errors.Is(err, store.ErrExists) {
		err = nil // two asked at once: the outcome is the same
	}
	return s, err
}

func checkpoint(row *store.Model) (fs.FS, error) {
	if row.Source != sourceEmbedded {
		return os.DirFS(row.Path), nil
	}
	fsys, ok := pretrained.FS(row.Name)
	if !ok {
		return nil, fail(ErrUnknownModel, "use the program's version that had it", "the model %s is not part of this program any more", row.Name)
	}
	return fsys, nil
}

// sanityInputs are the examples that come with a model, or the newest inputs of it that
// the caller may read.
func (a *App) sanityInputs(ctx context.Context, c identity.Caller, row *store.Model) (out []inference.Input, err error) {
	if row.Source == sourceEmbedded {
		list, err := pretrained.Examples(row.Name)
		for _, e := range list[:min(len(list), sanityInputs)] {
			out = append(out, inference.Input{Text: e.Text, Image: e.Image})
		}
		return out, err
	}
	rows, _, err := a.store.Predictions(ctx, a.workspace, store.PredictionFilter{Model: row.Name + "@" + row.Version}, "", 50)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		p := &rows[i]
		if len(out) == sanityInputs {
			break
		}
		if !a.decide(ask{caller: c, action: policy.PredictionRead, object: "prediction:" + p.ID, context: madeFor(p)}).Allow {
			continue
		}
		if in, err := a.storedInput(ctx, p); err == nil {
			out = append(out, in.seen)
		}
	}
	if len(out) == 0 {
		return nil, fail(ErrInput, "make a prediction with the model first", "there is no input of %s to explain", row.Name)
	}
	return out, nil
}

// SanityChecks are the outcomes for a model version, by method.
func (a *App) SanityChecks(ctx context.Context, c identity.Caller, model string) ([]SanityView, error) {
	row, err := a.readableModel(ctx, c, model)
	if err != nil {
		return nil, err
	}
	list, err := a.store.SanityChecks(ctx, a.workspace, row.Digest)
	if err != nil {
		return nil, err
	}
	out, made := []SanityView{}, map[string]bool{}
	for _, x := range list {
		if m, ok := explain.Lookup(x.Method); !ok || m.Version != x.Version {
			continue // of another version of the method: says nothing about this one
		}
		var s explain.Sanity
		if err := json.Unmarshal([]byte(x.Result), &s); err != nil {
			return nil, fmt.Errorf("app: reading a randomisation check of %s: %w", row.Name, err)
		}
		made[x.Method] = true
		out = append(out, SanityView{Method: x.Method, Version: x.Version, Passed: x.Passed == 1, Spearman: s.Figure.Value, Steps: s.Steps})
	}
	for _, m := range explain.Methods() {
		if s := shippedSanity(row.Digest, m); s != nil && !made[m.ID] {
			out = append(out, SanityView{Method: m.ID, Version: m.Version, Passed: s.Passed, Spearman: s.Figure.Value, Steps: s.Steps})
		}
	}
	return out, nil
}
