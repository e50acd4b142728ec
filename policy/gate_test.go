package policy

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func gated(id, subject string, g *Gate) Rule {
	return Rule{ID: id, Workspace: "w1", Subject: "role:" + subject, Object: "model:*", Action: Explain, Effect: EffectAllow, Obligations: Obligations{Gate: g}}
}

func TestGatesCombine(t *testing.T) {
	low, high := 0.1, 0.3
	for _, c := range []struct {
		a, b *Gate
		want string
	}{
		{nil, nil, `null`},
		{&Gate{Action: GateWarn, Sanity: true}, nil, `{"action":"warn","sanity":true}`},
		{&Gate{Action: GateWarn, MaxGap: 0.05, Better: []string{"sufficiency"}, MinAgreement: &low}, &Gate{Action: GateReview, MaxGap: 0.01, MaxP: 0.05, Better: []string{"infidelity"}, MinAgreement: &high},
			`{"action":"review","better":["infidelity","sufficiency"],"max_gap":0.01,"max_p":0.01,"min_agreement":0.3}`},
		{&Gate{Action: GateFallBack, Next: []string{"x", "a"}, Sanity: true}, &Gate{Action: GateWarn, Sanity: true}, `{"action":"fall-back","max_p":0.01,"next":["x","a"],"sanity":true}`},
		{&Gate{Action: GateFallBack, Next: []string{"x", "a", "b"}, Sanity: true}, &Gate{Action: GateFallBack, Next: []string{"b", "c", "a"}, Sanity: true},
			`{"action":"fall-back","max_p":0.01,"next":["a","b"],"sanity":true}`},
		{&Gate{Action: GateFallBack, Next: []string{"x"}, Sanity: true}, &Gate{Action: GateFallBack, Next: []string{"y"}, Sanity: true}, `{"action":"withhold","max_p":0.01,"sanity":true}`},
	} {
		for _, pair := range [][2]*Gate{{c.a, c.b}, {c.b, c.a}} {
			got, err := json.Marshal(pair[0].combine(pair[1]))
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		}
	}
}

func TestGatesAreChecked(t *testing.T) {
	for _, g := range []Gate{
		{Action: "hide", Sanity: true}, {Action: GateFallBack, Sanity: true}, {Action: GateWarn}, {Action: GateWarn, MaxGap: -1}, {Action: GateWarn, MaxGap: math.NaN()},
		{Action: GateWarn, MaxP: 2, Sanity: true}, {Action: GateWarn, Better: []string{"A figure"}}, {Action: GateWarn, MaxGap: math.Inf(1)},
	} {
		if _, err := Compile(1, []Rule{gated("r-1", "analyst", &g)}, nil); !errors.Is(err, ErrRule) {
			t.Errorf("%+v: %v", g, err)
		}
	}
	r := gated("r-1", "analyst", &Gate{Action: GateWarn, Sanity: true})
	r.Action = Predict
	if _, err := Compile(1, []Rule{r}, nil); !errors.Is(err, ErrRule) {
		t.Errorf("a gate on predictions: %v", err)
	}
	r.Action, r.Effect = Explain, EffectDeny
	if _, err := Compile(1, []Rule{r}, nil); !errors.Is(err, ErrRule) {
		t.Errorf("a gate on a deny rule: %v", err)
	}
}

// TestDiffKnowsGates: a gate that is set changes no answer, and is still a change.
func TestDiffKnowsGates(t *testing.T) {
	before, err := Compile(1, []Rule{gated("r-1", Analyst, nil)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Compile(2, []Rule{gated("r-1", Analyst, &Gate{Action: GateWithhold, MaxGap: 0.01})}, nil)
	if err != nil {
		t.Fatal(err)
	}
	changes := Diff(before, after)
	if len(changes) != 1 || changes[0].Direction != Duties || changes[0].Action != Explain {
		t.Fatalf("%+v", changes)
	}
}
