package app

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"vitrine/policy"
	"vitrine/policy/identity"
)

// gateFor puts a gate on what analysts explain.
func gateFor(t *testing.T, a *App, g *GateChange) {
	t.Helper()
	ctx := context.Background()
	p, err := a.Policy(ctx, a.Local())
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.ChangePolicy(ctx, a.Local(), PolicyChange{Base: p.Version, Reason: "test", Cells: []PolicyCell{{
		Role: policy.Analyst, Action: "explain", Effect: "allow", Obligations: &ObligationsChange{Gate: g}}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGates: the gate of the policy is applied to every explanation, its reason is in the
// view, the record and the log, and what it holds back is held back from later readers.
func TestGates(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c, reviewer := caller(t, a, policy.Analyst), caller(t, a, policy.Reviewer)
	p := predict(t, a, c, PredictRequest{Model: textModel, Text: text("What a wonderful film."), Purpose: "research"})
	impossible := []string{"comprehensiveness"}
	explained := func(g *GateChange, method string) *ExplanationView {
		t.Helper()
		gateFor(t, a, g)
		v, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := explained(&GateChange{Action: "warn", MaxGap: 0.05}, "integrated-gradients")
	if v.Gate == nil || !v.Gate.Passed || v.Gate.Held() || len(v.Record) == 0 || !bytes.Contains(v.Record, []byte(`"gate":{"passed":true`)) {
		t.Fatalf("a gate that is met: %+v", v.Gate)
	}
	v = explained(&GateChange{Action: "warn", Better: impossible, MaxP: 1e-9}, "integrated-gradients")
	if v.Gate.Passed || v.Gate.Action != "warn" || v.Gate.Reasons[0].Code != "too-few-draws" || len(v.Token) == 0 {
		t.Fatalf("warn: %+v", v.Gate)
	}
	v = explained(&GateChange{Action: "withhold", Better: impossible, MaxP: 1e-9}, "integrated-gradients")
	if v.Gate.Action != "withhold" || v.Level != policy.LevelNone || v.Token != nil || v.Record != nil || len(v.Words) != 0 || v.Output != 0 || len(v.Gate.Reasons) != 1 {
		t.Fatalf("withhold: %+v", v)
	}
	for _, reader := range []identity.Caller{caller(t, a, policy.Auditor), a.Local(), reviewer} {
		again, err := a.Explanation(ctx, reader, v.ID)
		if err != nil || again.Token != nil || again.Record != nil || again.Level != policy.LevelNone || again.Gate.Action != "withhold" {
			t.Fatalf("withheld, read by %s: %+v %v", reader.Roles, again, err)
		}
	}
	if v = explained(&GateChange{Action: "review", Sanity: true}, "integrated-gradients"); !v.Gate.Passed {
		t.Fatalf("the program's own randomisation check does not count: %+v", v.Gate)
	}
	v = explained(&GateChange{Action: "review", Better: impossible, MaxP: 1e-9}, "integrated-gradients")
	if v.Gate.Reasons[0].Code != "too-few-draws" || v.Token != nil {
		t.Fatalf("review: %+v", v.Gate)
	}
	if seen, err := a.Explanation(ctx, reviewer, v.ID); err != nil || len(seen.Token) == 0 {
		t.Fatalf("a reviewer cannot look: %+v %v", seen, err)
	}
	queue, err := a.Reviews(ctx, reviewer, false, Page{})
	if err != nil || len(queue.Items) != 1 || queue.Items[0].Explanation != v.ID || queue.Items[0].Cause != ReviewGate {
		t.Fatalf("the queue of reviews: %+v %v", queue, err)
	}
	if _, err := a.StartReview(ctx, reviewer, queue.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.DecideReview(ctx, reviewer, queue.Items[0].ID, ReviewDecision{Verdict: VerdictConfirm, Reason: "It fits the text."}); err != nil {
		t.Fatal(err)
	}
	if seen, err := a.Explanation(ctx, c, v.ID); err != nil || len(seen.Token) == 0 {
		t.Fatalf("a confirmed explanation stays closed: %+v %v", seen, err)
	}
	v = explained(&GateChange{Action: "fall-back", MaxGap: 1e-9, Next: []string{"grad-cam", "occlusion"}}, "integrated-gradients")
	if v.Method != "occlusion" || !v.Gate.Passed || v.Gate.After == "" || len(v.Token) == 0 {
		t.Fatalf("fall-back: %s %+v", v.Method, v.Gate)
	}
	first, err := a.Explanation(ctx, c, v.Gate.After)
	if err != nil || first.Method != "integrated-gradients" || first.Gate.Next != "occlusion" || first.Token != nil {
		t.Fatalf("what fell short: %+v %v", first, err)
	}
	reasons := map[string]int{}
	for _, e := range events(t, a) {
		if e.Code != "EXPLANATION.MADE.OK" {
			continue
		}
		var leaf struct {
			Codes   map[string]string `json:"codes"`
			Numbers map[string]int64  `json:"numbers"`
		}
		if err := json.Unmarshal(e.Leaf, &leaf); err != nil {
			t.Fatal(err)
		}
		reasons[leaf.Codes["gate"]+" "+leaf.Codes["gate_reason"]]++
	}
	for _, want := range []string{"passed ", "warn too-few-draws", "withhold too-few-draws", "review too-few-draws", "fall-back gap"} {
		if reasons[want] == 0 {
			t.Errorf("no entry with %q: %v", want, reasons)
		}
	}
}

// TestNothingIsComputedTwice: the same request of the same prediction is answered with
// the explanation that is there; another parameter makes another one.
func TestNothingIsComputedTwice(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	p := predict(t, a, c, PredictRequest{Model: textModel, Text: text("What a wonderful film."), Purpose: "research", Explain: &ExplainRequest{Method: "saliency"}})
	again, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: "saliency"})
	if err != nil || again.ID != p.Explanation.ID || !again.Cached || string(again.Attributions) != string(p.Explanation.Attributions) || !bytes.Equal(again.Record, p.Explanation.Record) {
		t.Fatalf("%+v %v", again, err)
	}
	for _, r := range []ExplainRequest{{Method: "saliency", Target: "negative"}, {Method: "saliency", Seed: 1}, {Method: "input-x-gradient"}} {
		other, err := a.Explain(ctx, c, p.ID, r)
		if err != nil || other.Cached || other.ID == p.Explanation.ID {
			t.Fatalf("%+v: %+v %v", r, other, err)
		}
		agreed := false
		for _, f := range other.Metrics {
			agreed = agreed || f.ID == "agreement"
		}
		if want := r.Method == "input-x-gradient"; agreed != want { // the others explain another class or are the same method
			t.Errorf("%+v: agreement %v", r, agreed)
		}
	}
	if n := count(events(t, a), "EXPLANATION.MADE.OK"); n != 4 {
		t.Errorf("%d explanations were made", n)
	}
}
