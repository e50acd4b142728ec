package app

import (
	"context"
	"strconv"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/web/store"
)

// readWritten brings a stored text that a model wrote into the form that explanations
// take; of any other prediction it does nothing.
func (a *App) readWritten(ctx context.Context, w *run, of *store.Prediction, model *inference.Model, r ExplainRequest) error {
	if r.Answer < 0 {
		return notFound("answer")
	}
	if w.written != nil || !model.Generates() {
		return nil
	}
	v, err := a.predictionView(ctx, of)
	if err != nil {
		return err
	}
	w.answer = r.Answer
	if w.written, err = writtenText(model, v, r.Answer); err != nil {
		return err
	}
	if n, err := strconv.Atoi(r.Target); err == nil && n >= len(w.written.Answer) && n < len(v.Output.Generated[r.Answer].Tokens) {
		return errCovered
	}
	return nil
}

// revealGrid applies a decision's obligations to the rows of an explanation's grid.
func revealGrid(o policy.Obligations, level string, g *explain.Grid) *explain.Grid {
	if g == nil || level == policy.LevelNone {
		return nil
	}
	out := &explain.Grid{Rows: g.Rows}
	for _, row := range g.Values {
		switch {
		case level == policy.LevelSigns:
			row = signs(row)
		case level == policy.LevelRounded || o.Round != nil:
			row = rounded(o, row)
		}
		out.Values = append(out.Values, row)
	}
	return out
}
