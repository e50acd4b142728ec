package app

import (
	"context"
	"testing"

	"vitrine/policy"
)

// TestCompare: the newest explanation of each method, pair by pair; what the reader may not
// see whole is counted and left out.
func TestCompare(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	p := predict(t, a, c, PredictRequest{Model: textModel, Text: text("A wonderful film, but a terribly slow one."), Purpose: "research"})
	for _, r := range []ExplainRequest{{Method: "saliency"}, {Method: "input-x-gradient"}, {Method: "occlusion"}, {Method: "saliency", Seed: 3}} {
		if _, err := a.Explain(ctx, c, p.ID, r); err != nil {
			t.Fatal(err)
		}
	}
	other := "negative"
	if p.Output.Labels[0].Label == other {
		other = "positive"
	}
	if _, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: "saliency", Target: other}); err != nil {
		t.Fatal(err)
	}
	v, err := a.Compare(ctx, c, p.ID, p.Output.Labels[0].Label)
	if err != nil || len(v.Methods) != 3 || v.Other != 1 || v.Withheld != 0 || v.Methods[0].Method != "saliency" {
		t.Fatalf("%+v %v", v, err)
	}
	for i := range v.Methods {
		for j := range v.Methods {
			if v.Tau[i][j] != v.Tau[j][i] || i == j && (abs(v.Tau[i][j]-1) > 1e-12 || v.Top[i][j] != 1 || v.Sign[i][j] != 1) || abs(v.Tau[i][j]) > 1+1e-12 {
				t.Errorf("tau %v, top %v", v.Tau, v.Top)
			}
		}
	}
	if len(v.Units) < 8 {
		t.Fatalf("%d words", len(v.Units))
	}
	for _, u := range v.Units {
		for _, x := range u.Values {
			if abs(x) > 1 {
				t.Errorf("%s: %v", u.Text, u.Values)
			}
		}
	}
	seen, err := a.Compare(ctx, caller(t, a, policy.Auditor), p.ID, p.Output.Labels[0].Label)
	if err != nil || len(seen.Methods) != 0 || seen.Withheld != 4 {
		t.Fatalf("an auditor, who sees signs: %+v %v", seen, err)
	}
}
