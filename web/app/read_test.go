package app

import (
	"context"
	"testing"

	"vitrine/policy"
)

// TestReadingObeysPurposeAndClass: a condition on what a prediction was made for
// counts on every way of reading it, and a list shows no more than the entry does.
func TestReadingObeysPurposeAndClass(t *testing.T) {
	a := openApp(t, t.TempDir(), false)
	ctx := context.Background()
	analyst, reviewer, admin := caller(t, a, policy.Analyst), caller(t, a, policy.Reviewer), caller(t, a, policy.Admin)
	open := predict(t, a, analyst, PredictRequest{Model: "sentiment-minilm", Text: text("A plain day.")})
	shut := predict(t, a, analyst, PredictRequest{Model: "sentiment-minilm", Text: text("A very secret day."), DataClass: "special"})
	p, err := a.Policy(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	cond := "data_class in {special}"
	_, err = a.ChangePolicy(ctx, admin, PolicyChange{Base: p.Version, Reason: "Reviewers leave these alone.", Cells: []PolicyCell{{
		Role: policy.Reviewer, Action: string(policy.PredictionRead), Effect: policy.EffectDeny, Condition: &cond, KeepOthers: true}, {
		Role: policy.Reviewer, Action: string(policy.PredictionRead), Effect: policy.EffectAllow, KeepOthers: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Prediction(ctx, reviewer, open.ID); err != nil {
		t.Errorf("the open one: %v", err)
	}
	_, err = a.Prediction(ctx, reviewer, shut.ID)
	denied(t, err)
	_, err = a.Explain(ctx, reviewer, shut.ID, ExplainRequest{Method: "saliency"})
	denied(t, err)
	list, err := a.Predictions(ctx, reviewer, PredictionQuery{})
	if err != nil || len(list.Items) != 2 {
		t.Fatalf("%d rows, %v", len(list.Items), err)
	}
	for _, b := range list.Items {
		if shown := b.Excerpt != "" || b.Label != "" || b.Score != 0; shown == (b.ID == shut.ID) || b.Withheld != (b.ID == shut.ID) {
			t.Errorf("row %+v", b)
		}
	}
	if _, err := a.Prediction(ctx, analyst, shut.ID); err != nil {
		t.Errorf("the analyst: %v", err)
	}
}
