package explain

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/inference"
)

var toyInputs = map[string]inference.Input{
	"text":  {Text: "the film was sur-pris-ingly good although very long"},
	"image": {Image: []byte("an image of thirty-seven odd bytes...")},
}

func toys() []*toy { return []*toy{toyText(), toyImage()} }

func mustExplain(t *testing.T, r Request) *Explanation {
	t.Helper()
	e, err := Explain(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// bits is the whole explanation as text, less what may differ between equal ones.
func bits(t *testing.T, e *Explanation) string {
	t.Helper()
	c := *e
	c.Seconds = 0
	raw, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// engines are what a method is tested on: the toys, or for methods with reverse rules of their own the shipped picture model.
func engines(t *testing.T, m Method) []Engine {
	if slices.Contains([]string{"guided-backprop", "deconvolution", "guided-grad-cam", "deeplift", "deeplift-shap"}, m.ID) {
		model, _ := shipped(t, "digits-resnet")
		return []Engine{model}
	}
	var out []Engine
	for _, e := range toys() {
		out = append(out, e)
	}
	return out
}

func digit(t *testing.T) inference.Input {
	t.Helper()
	_, fsys := shipped(t, "digits-resnet")
	raw, err := fs.ReadFile(fsys, "examples/digit-3-1.png")
	if err != nil {
		names, _ := fs.Glob(fsys, "examples/*.png")
		if len(names) == 0 {
			t.Fatal(err)
		}
		if raw, err = fs.ReadFile(fsys, names[0]); err != nil {
			t.Fatal(err)
		}
	}
	return inference.Input{Image: raw}
}

// quick keeps the number of samples of a test small.
func quick(m Method) map[string]any {
	out := map[string]any{}
	for _, p := range m.Params {
		switch p.Name {
		case "samples":
			out["samples"] = 8
		case "budget":
			out["budget"] = 128 // a pair of orders of the 49 patches of a digit
		}
	}
	return out
}

// TestMethods holds every registered method to the contract of the registry.
func TestMethods(t *testing.T) {
	if len(Methods()) < 8 {
		t.Fatalf("only %d methods are registered", len(Methods()))
	}
	for _, m := range Methods() {
		ran := false
		for _, engine := range engines(t, m) {
			info := engine.Info()
			if m.suits(info) != nil {
				continue
			}
			ran = true
			t.Run(m.ID+"/"+info.Modality, func(t *testing.T) {
				r := Request{Model: engine, Input: toyInputs[info.Modality], Method: m.ID, Seed: 7, Params: quick(m)}
				if _, ok := engine.(*toy); !ok {
					r.Input = digit(t)
				}
				e := mustExplain(t, r)
				checkShape(t, m, info, e)
				checkRepeat(t, r, e)
				checkComplete(t, m, e)
				checkFigures(t, e)
				checkRecord(t, e)
				checkCost(t, r, e)
				checkJSON(t, e)
			})
		}
		if !ran {
			t.Errorf("%s suits none of the toy models: it is not tested", m.ID)
		}
		t.Run(m.ID+"/params", func(t *testing.T) { checkParams(t, m) })
	}
}

func checkShape(t *testing.T, m Method, info inference.Info, e *Explanation) {
	t.Helper()
	if e.Method != m.ID || e.Version != m.Version || e.Signed != m.Signed {
		t.Errorf("method %s %s", e.Method, e.Version)
	}
	for _, p := range m.Params {
		if _, ok := e.Params[p.Name]; !ok {
			t.Errorf("parameter %s is not in the result", p.Name)
		}
	}
	if e.Params["baseline"] == "auto" {
		t.Error("the baseline is not resolved")
	}
	if info.Modality == "image" {
		if e.Map == nil || len(e.Map.Data) != e.Map.Shape[0]*e.Map.Shape[1] || e.ImageHeight != info.ImageHeight {
			t.Fatalf("map %v of a picture %d high", e.Map, e.ImageHeight)
		}
		return
	}
	if len(e.Attributions) != len(e.Tokens) || !e.Tokens[0].Special || !e.Tokens[len(e.Tokens)-1].Special {
		t.Errorf("%d values for %d tokens", len(e.Attributions), len(e.Tokens))
	}
	if (m.Family == "attention") == (e.Companion == nil) && m.ID != "chefer" {
		t.Error("raw attention must come with a gradient-weighted view, and only it")
	}
	if m.Family == "counterfactual" || m.Family == "internal" {
		if (m.Family == "internal") == (e.Grid == nil) {
			t.Error("methods on inner values give a grid, and only they")
		}
		return
	}
	if m.Signed && !slices.ContainsFunc(e.Attributions, func(v float64) bool { return v < 0 }) {
		t.Error("a signed method gave no value below zero")
	}
	if !m.Signed && m.Family == "attention" && slices.ContainsFunc(e.Attributions, func(v float64) bool { return v < 0 }) {
		t.Error("an unsigned method gave a value below zero")
	}
}

func checkRepeat(t *testing.T, r Request, e *Explanation) {
	t.Helper()
	want := bits(t, e)
	for _, threads := range []int{1, 7} {
		r.Threads = threads
		if got := bits(t, mustExplain(t, r)); got != want {
			t.Errorf("other bits with %d threads:\n%s\n%s", threads, got, want)
		}
	}
	if e.Gradients+e.Forwards == 0 {
		t.Error("nothing was counted")
	}
}

func checkComplete(t *testing.T, m Method, e *Explanation) {
	t.Helper()
	total := sum(e.Attributions)
	if e.Map != nil {
		total = sum(widen(e.Map.Data))
	}
	if d := total - (e.Output - e.BaselineOutput); math.Abs(d-e.Delta) > 1e-6*max(1, math.Abs(d)) {
		t.Errorf("delta is %v, the values give %v", e.Delta, d)
	}
	if m.Complete && math.Abs(e.Delta) > max(0.01*math.Abs(e.Output-e.BaselineOutput), 1e-4) {
		t.Errorf("delta %v of %v", e.Delta, e.Output-e.BaselineOutput)
	}
}

func checkFigures(t *testing.T, e *Explanation) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range e.Metrics {
		seen[f.ID] = true
		for _, v := range []float64{f.Value, f.Control, f.Low, f.High} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s: %+v", f.ID, f)
			}
		}
		if f.Low > f.Value || f.High < f.Value {
			t.Errorf("%s: %v outside [%v,%v]", f.ID, f.Value, f.Low, f.High)
		}
		if f.P == nil || *f.P <= 0 || *f.P > 1 || f.Draws != DefaultDraws && !strings.HasSuffix(f.ID, "-auc") {
			t.Errorf("%s: control %+v", f.ID, f)
		}
	}
	if slices.Contains(e.Warnings, WarnEqual) {
		for _, f := range e.Metrics {
			if f.ID != "completeness" && f.ID != "sensitivity-max" {
				t.Errorf("a figure %s of values that rank nothing", f.ID)
			}
		}
		return
	}
	for _, m := range Metrics() {
		picture := strings.HasSuffix(m.ID, "-auc")
		if !seen[m.ID] && m.ID != "agreement" && m.ID != "sensitivity-max" && (!picture || e.Map != nil) {
			t.Errorf("no figure %s", m.ID)
		}
	}
}

func checkRecord(t *testing.T, e *Explanation) {
	t.Helper()
	c := RecordContext{Workspace: "ws", Actor: "user:01J", Purpose: "unspecified", PolicyVersion: 3, InputCommitment: "c0ffee",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), ModelName: "toy", ModelVersion: "1"}
	if err := e.Seal(c); err != nil {
		t.Fatal(err)
	}
	first := e.RecordHash
	if err := e.Seal(c); err != nil || e.RecordHash != first || len(first) != 64 {
		t.Fatalf("hash %s, then %s, %v", first, e.RecordHash, err)
	}
	var back record
	if err := json.Unmarshal(e.Record, &back); err != nil {
		t.Fatal(err)
	}
	if len(e.Attributions) > 0 && !reflect.DeepEqual(back.Attributions, e.Attributions) {
		t.Error("the record does not hold the attributions bit for bit")
	}
	if e.Map != nil && !reflect.DeepEqual(back.Map, e.Rows()) {
		t.Error("the record does not hold the map bit for bit")
	}
	if back.Delta != e.Delta || back.Output != e.Output || back.Method != e.Method || back.Seed != "7" {
		t.Errorf("record %+v", back)
	}
	for _, tok := range e.Tokens {
		if !tok.Special && len(tok.Text) > 3 && strings.Contains(string(e.Record), tok.Text) {
			t.Errorf("the record holds the text %q", tok.Text)
		}
	}
	c.Actor = "user:02J"
	if err := e.Seal(c); err != nil || e.RecordHash == first {
		t.Error("another actor gives the same record")
	}
}

func checkCost(t *testing.T, r Request, e *Explanation) {
	t.Helper()
	c, err := Estimate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if c.Seconds <= 0 || c.Forwards+c.Gradients < 1 {
		t.Errorf("cost %+v", c)
	}
	// the estimate is a forecast; it must be of the right size
	spent := e.Forwards + 3*e.Gradients
	if f := c.Forwards + 3*c.Gradients; f > 4*spent || 4*f < spent {
		t.Errorf("estimated %+v, spent %d forwards and %d gradients", c, e.Forwards, e.Gradients)
	}
}

func checkParams(t *testing.T, m Method) {
	t.Helper()
	if _, err := m.Resolve(map[string]any{"no-such-parameter": 1}); !errors.Is(err, ErrParam) {
		t.Errorf("an unknown parameter gives %v", err)
	}
	for _, p := range m.Params {
		if !strings.HasPrefix(p.Help, "explain.param.") {
			t.Errorf("%s: help key %q", p.Name, p.Help)
		}
		bad := []any{[]int{1}, nil}
		switch p.Type {
		case "int":
			bad = append(bad, 1.5, "many", math.NaN(), 1e300)
		case "float":
			bad = append(bad, "much", math.Inf(1))
		case "enum":
			bad = append(bad, "no-such-choice", 3)
		case "bool":
			bad = append(bad, "perhaps", 2)
		}
		if p.Min != nil {
			bad = append(bad, *p.Min-1)
		}
		if p.Max != nil {
			bad = append(bad, *p.Max+1)
		}
		for _, v := range bad {
			if v == nil {
				continue // stands for the default
			}
			if _, err := m.Resolve(map[string]any{p.Name: v}); !errors.Is(err, ErrParam) {
				t.Errorf("%s = %v gives %v", p.Name, v, err)
			}
		}
	}
	got, err := m.Resolve(nil)
	if err != nil || len(got) != len(m.Params) {
		t.Errorf("defaults: %v, %v", got, err)
	}
}

func checkJSON(t *testing.T, e *Explanation) {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Explanation
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil || string(again) != string(raw) {
		t.Errorf("JSON changed (%v):\n%s\n%s", err, raw, again)
	}
	if !reflect.DeepEqual(back.Attributions, e.Attributions) || !reflect.DeepEqual(back.Map, e.Map) || !reflect.DeepEqual(back.Attention, e.Attention) {
		t.Error("values changed on the way through JSON")
	}
}
