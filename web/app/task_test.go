package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// finished waits for a task to end.
func finished(t testing.TB, a *App, c identity.Caller, id string) *TaskView {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		v, err := a.Task(context.Background(), c, id)
		if err != nil {
			t.Fatal(err)
		}
		if v.Finished != nil {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job did not end: %+v", v)
		}
	}
}

func TestExplanationByJob(t *testing.T) {
	a := openApp(t, "", false)
	ctx := context.Background()
	c, other := caller(t, a, policy.Analyst), caller(t, a, policy.Reviewer)
	p := predict(t, a, c, PredictRequest{Model: textModel, Text: text("What a wonderful film."), Purpose: "research"})
	for _, bad := range []struct {
		r    ExplainRequest
		want error
	}{
		{ExplainRequest{Method: "magic"}, ErrUnknownMethod}, {ExplainRequest{Method: "grad-cam"}, ErrUnsuitable},
		{ExplainRequest{Method: "occlusion", Target: "blue"}, ErrUnknownLabel}, {ExplainRequest{Method: "occlusion", Params: map[string]any{"window": -1}}, ErrParam},
	} {
		if _, err := a.StartExplanation(ctx, c, p.ID, bad.r); !errors.Is(err, bad.want) {
			t.Errorf("%+v: %v", bad.r, err)
		}
	}
	v, err := a.StartExplanation(ctx, c, p.ID, ExplainRequest{Method: "shapley-sampling"})
	if err != nil || v.Total == 0 || v.Unit != "runs" {
		t.Fatalf("%+v %v", v, err)
	}
	v = finished(t, a, c, v.ID)
	if v.Status != store.Done || v.Object == "" || v.Done == 0 {
		t.Fatalf("%+v", v)
	}
	if e, err := a.Explanation(ctx, c, v.Object); err != nil || e.Method != "shapley-sampling" || e.Prediction != p.ID {
		t.Fatalf("%+v %v", e, err)
	}
	if _, err := a.Task(ctx, other, v.ID); denied(t, err).Decision.Action != string(policy.JobManage) {
		t.Fatal(err)
	}
	if list, err := a.Tasks(ctx, other, Page{}); err != nil || len(list.Items) != 0 {
		t.Fatalf("somebody else sees %+v %v", list, err)
	}
	if list, err := a.Tasks(ctx, a.Local(), Page{}); err != nil || len(list.Items) != 1 {
		t.Fatalf("who manages jobs sees %+v %v", list, err)
	}
	long := predict(t, a, c, PredictRequest{Model: textModel, Text: text(strings.Repeat("What a wonderful film, and what a slow one. ", 12)), Purpose: "research"})
	slow, err := a.StartExplanation(ctx, c, long.ID, ExplainRequest{Method: "lime", Params: map[string]any{"samples": 4096}})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if v, _ := a.Task(ctx, c, slow.ID); v.Status == store.Running || time.Now().After(deadline) {
			break
		}
	}
	if _, err := a.CancelTask(ctx, c, slow.ID); err != nil {
		t.Fatal(err)
	}
	if v := finished(t, a, c, slow.ID); v.Status != store.Cancelled || v.Object != "" {
		t.Fatalf("%+v", v)
	}
	if _, err := a.CancelTask(ctx, c, slow.ID); !errors.Is(err, ErrConflict) {
		t.Fatalf("cancelled twice: %v", err)
	}
	list := events(t, a)
	if count(list, "JOB.ASKED.OK") != 2 || count(list, "JOB.ENDED.OK") != 1 || count(list, "JOB.ENDED.FAILED") != 1 || count(list, "JOB.READ.DENIED") != 1 {
		t.Fatalf("asked %d, ended %d, failed %d", count(list, "JOB.ASKED.OK"), count(list, "JOB.ENDED.OK"), count(list, "JOB.ENDED.FAILED"))
	}
}

// TestRandomisationCheck: made once for a model version and method, and a gate that asks
// for it passes then.
func TestRandomisationCheck(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	// The program ships the outcomes for its own models: this one is asked for past that.
	q := ask{caller: c, action: policy.Explain, object: "model:" + imageModel}
	v, err := a.startTask(ctx, q, a.decide(q), &store.Task{Kind: "sanity", Model: imageModel + "@1.0.0", Method: "saliency", Total: 4}, sanityTask{imageModel, "saliency"})
	if err != nil || v.Status != store.Done {
		t.Fatalf("%+v %v", v, err)
	}
	checks, err := a.SanityChecks(ctx, c, imageModel)
	if err != nil || len(checks) == 0 || checks[0].Method != "saliency" || len(checks[0].Steps) == 0 {
		t.Fatalf("%+v %v", checks, err)
	}
	if _, err := a.StartSanity(ctx, c, imageModel, "saliency"); !errors.Is(err, ErrExists) {
		t.Fatalf("checked twice: %v", err)
	}
	if _, err := a.StartSanity(ctx, c, imageModel, "chefer"); !errors.Is(err, ErrUnsuitable) {
		t.Fatalf("a method that does not suit: %v", err)
	}
}

// TestReplayFromTheDatabase: the same bits from what is stored; a record that was changed
// is refused by the log's commitment; an erased input is named.
func TestReplayFromTheDatabase(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	p := predict(t, a, c, PredictRequest{Model: textModel, Text: text("Write to ada@example.org about this wonderful film."), Purpose: "research",
		Explain: &ExplainRequest{Method: "integrated-gradients"}})
	id := p.Explanation.ID
	v, err := a.ReplayExplanation(ctx, c, id)
	if err != nil || !v.Identical || !v.Ran || len(v.Differences) != 0 || v.RecordHash != p.Explanation.RecordHash || v.Receipt.Event == "" {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := a.ReplayExplanation(ctx, caller(t, a, policy.Auditor), id); denied(t, err).Decision.Action != string(policy.Explain) {
		t.Fatal(err)
	}
	row, err := a.store.Explanation(ctx, a.workspace, id)
	if err != nil {
		t.Fatal(err)
	}
	good := row.Record
	record, err := a.unseal(ctx, place{row.Subject, row.ID, "record"}, row.Record)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := a.seal(ctx, place{row.Subject, row.ID, "record"}, append(record[:len(record)-1], []byte(`,"zz":1}`)...))
	if err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string][]byte{"forged with the key": forged, "flipped": append([]byte{good[0] ^ 1}, good[1:]...)} {
		err := a.db.Write(ctx, func(ctx context.Context) error {
			return a.db.Tx(ctx).Model(&store.Explanation{}).Where("id = ?", id).Update("record", bytes).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err = a.ReplayExplanation(ctx, c, id)
		if err != nil || v.Identical || v.Ran || v.Differences[0].Code != "record-changed" {
			t.Fatalf("%s: %+v %v", name, v, err)
		}
	}
	results := map[string]int{}
	for _, e := range events(t, a) {
		if e.Code == "EXPLANATION.REPLAYED.OK" {
			results[e.Object]++
		}
	}
	if results["explanation:"+id] != 3 {
		t.Errorf("replays in the log: %v", results)
	}
}
