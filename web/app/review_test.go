package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vitrine/inference/pretrained"
	"vitrine/policy"
)

// The whole life of a review: asked for, started by somebody else than the maker,
// overridden with another label, shown beside the answer, counted, and in the log.
func TestReview(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	clock := time.Now()
	a.config.Now = func() time.Time { return clock }
	analyst, reviewer, second := caller(t, a, policy.Analyst), caller(t, a, policy.Reviewer), caller(t, a, policy.ModelOwner)
	second.Roles = []string{policy.Reviewer}
	p := predict(t, a, analyst, PredictRequest{Model: textModel, Text: text("A dull film.")})
	v, err := a.AskReview(ctx, analyst, p.ID, ReviewRequest{Reason: "sounds wrong; write to ada@example.org"})
	if err != nil || v.State != "open" || strings.Contains(v.Reason, "ada@") {
		t.Fatal(v, err)
	}
	if again, err := a.AskReview(ctx, analyst, p.ID, ReviewRequest{Reason: "still"}); err != nil || again.ID != v.ID {
		t.Fatal("a case that waits was sent twice:", again, err)
	}
	_, err = a.Reviews(ctx, analyst, false, Page{})
	denied(t, err)
	_, err = a.StartReview(ctx, analyst, v.ID)
	denied(t, err)
	decision := ReviewDecision{Verdict: VerdictOverride, Label: "positive", Reason: "it is meant as praise"}
	if _, err := a.DecideReview(ctx, reviewer, v.ID, decision); !errors.Is(err, ErrConflict) {
		t.Fatal("decided without a start:", err)
	}
	if _, err := a.StartReview(ctx, reviewer, v.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.StartReview(ctx, second, v.ID); !errors.Is(err, ErrConflict) {
		t.Fatal("two reviewers on one case:", err)
	}
	clock = clock.Add(40 * time.Second)
	shown, err := a.Review(ctx, reviewer, v.ID)
	if err != nil || len(shown.Labels) == 0 {
		t.Fatal(shown, err)
	}
	decision.Label = p.Output.Labels[0].Label
	if _, err := a.DecideReview(ctx, reviewer, v.ID, decision); !errors.Is(err, ErrUnknownLabel) {
		t.Fatal("overridden with the model's own label:", err)
	}
	decision.Label = shown.Labels[0]
	done, err := a.DecideReview(ctx, reviewer, v.ID, decision)
	if err != nil || done.State != "overridden" || done.Label != decision.Label || done.Comment != decision.Reason {
		t.Fatal(done, err)
	}
	if _, err := a.DecideReview(ctx, reviewer, v.ID, decision); !errors.Is(err, ErrConflict) {
		t.Fatal("decided twice:", err)
	}
	list, err := a.Reviews(ctx, reviewer, true, Page{})
	if err != nil || len(list.Items) != 1 || list.Figures.Overridden != 1 || *list.Figures.Agreement != 0 || *list.Own.Seconds != 40 || list.Figures.Waiting != 0 {
		t.Fatalf("%+v %v", list, err)
	}
	again, err := a.Prediction(ctx, analyst, p.ID)
	if err != nil || len(again.Reviews) != 1 || again.Reviews[0].Label != decision.Label || again.Output.Labels[0].Label != p.Output.Labels[0].Label {
		t.Fatal("the override does not stand beside the answer:", again.Reviews, err)
	}
	log := events(t, a)
	for code, n := range map[string]int{"REVIEW.ASKED.OK": 1, "REVIEW.STARTED.OK": 1, "REVIEW.DECIDED.OK": 1, "REVIEW.READ.DENIED": 1, "REVIEW.DECIDED.DENIED": 1} {
		if got := count(log, code); got != n {
			t.Errorf("%d × %s in the log, want %d", got, code, n)
		}
	}
	for _, e := range log {
		if strings.Contains(string(e.Leaf), "praise") || strings.Contains(string(e.Leaf), "sounds") {
			t.Error("a reason is in the log:", string(e.Leaf))
		}
	}
}

// Nobody reviews their own answer, and a case left lying is taken over.
func TestReviewBySomebodyElse(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	both := caller(t, a, policy.Analyst)
	both.Roles = append(both.Roles, policy.Reviewer)
	p := predict(t, a, both, PredictRequest{Model: textModel, Text: text("Fine.")})
	v, err := a.AskReview(ctx, both, p.ID, ReviewRequest{Reason: "please look"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.StartReview(ctx, both, v.ID); !errors.Is(err, ErrConflict) {
		t.Fatal("the maker reviews:", err)
	}
	first, second := caller(t, a, policy.Reviewer), caller(t, a, policy.ModelOwner)
	second.Roles = []string{policy.Reviewer}
	if _, err := a.StartReview(ctx, first, v.ID); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(takeOver + time.Minute)
	a.config.Now = func() time.Time { return later }
	if v, err := a.StartReview(ctx, second, v.ID); err != nil || v.Reviewer != second.ID {
		t.Fatal(v, err)
	}
	if _, err := a.DecideReview(ctx, first, v.ID, ReviewDecision{Verdict: VerdictConfirm, Reason: "late"}); !errors.Is(err, ErrConflict) {
		t.Fatal("decided by somebody who lost the case:", err)
	}
	if _, err := a.DecideReview(ctx, second, v.ID, ReviewDecision{Verdict: VerdictConfirm, Reason: "right"}); err != nil {
		t.Fatal(err)
	}
}

// A rule that asks for review sends every answer to people, in the write that keeps it.
func TestRuleSendsToReview(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	_, err := a.ChangePolicy(ctx, caller(t, a, policy.Admin), PolicyChange{Base: 1, Reason: "people look", Cells: []PolicyCell{
		{Role: policy.Analyst, Action: "predict", Effect: "allow", Obligations: &ObligationsChange{Review: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	p := predict(t, a, caller(t, a, policy.Analyst), PredictRequest{Model: textModel, Text: text("Fine.")})
	list, err := a.Reviews(ctx, caller(t, a, policy.Reviewer), false, Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].Prediction != p.ID || list.Items[0].Cause != ReviewRule {
		t.Fatal(list, err)
	}
}

// A stopped model answers nobody, says so, and goes on only when somebody with
// model.approve starts it.
func TestStopButton(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	analyst, reviewer, admin := caller(t, a, policy.Analyst), caller(t, a, policy.Reviewer), caller(t, a, policy.Admin)
	before := predict(t, a, analyst, PredictRequest{Model: textModel, Text: text("Fine.")})
	_, err := a.StopModel(ctx, analyst, textModel, StopRequest{Reason: "no"})
	denied(t, err)
	if s, err := a.StopModel(ctx, reviewer, textModel, StopRequest{Reason: "wrong answers since noon"}); err != nil || s.By != reviewer.ID {
		t.Fatal(s, err)
	}
	if _, err := a.StopModel(ctx, admin, textModel, StopRequest{Reason: "again"}); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	for _, ref := range []string{textModel, textModel + "@1.0.0", before.Model.Digest} {
		_, err := a.Predict(ctx, analyst, PredictRequest{Model: ref, Text: text("Fine.")})
		if !errors.Is(err, ErrStopped) || Hint(err) == "" {
			t.Fatalf("%s answers though it is stopped: %v", ref, err)
		}
	}
	if _, err := a.Explain(ctx, analyst, before.ID, ExplainRequest{Method: "saliency"}); err != nil {
		t.Fatal("an answer given before cannot be explained:", err)
	}
	pictures, err := pretrained.Examples(imageModel)
	if err != nil {
		t.Fatal(err)
	}
	predict(t, a, analyst, PredictRequest{Model: imageModel, Image: pictures[0].Image}) // another model runs
	if m, err := a.Model(ctx, analyst, textModel); err != nil || !m.Stopped {
		t.Fatal(m, err)
	}
	_, err = a.StartModel(ctx, reviewer, textModel, StopRequest{Reason: "fine again"})
	denied(t, err)
	if _, err := a.StartModel(ctx, admin, textModel, StopRequest{}); !errors.Is(err, ErrInput) {
		t.Fatal("started without a reason:", err)
	}
	if _, err := a.StartModel(ctx, admin, textModel, StopRequest{Reason: "mended"}); err != nil {
		t.Fatal(err)
	}
	predict(t, a, analyst, PredictRequest{Model: textModel, Text: text("Fine.")})
	if stops, err := a.Stops(ctx, analyst, textModel); err != nil || len(stops) != 1 || stops[0].StartedReason != "mended" {
		t.Fatal(stops, err)
	}
	log := events(t, a)
	for code, n := range map[string]int{"MODEL.STOPPED.OK": 1, "MODEL.STOPPED.DENIED": 1, "MODEL.STARTED.OK": 1, "MODEL.STARTED.DENIED": 1, "PREDICTION.MADE.FAILED": 3} {
		if got := count(log, code); got != n {
			t.Errorf("%d × %s in the log, want %d", got, code, n)
		}
	}
}
