package explain

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/inference"
	"vitrine/inference/pretrained"
)

// The shipped models, explained end to end and held against golden.json beside them (transformers 5.23, Captum 0.9,
// torch 2.15, float64).

func shipped(t *testing.T, name string) (*inference.Model, fs.FS) {
	t.Helper()
	fsys, ok := pretrained.FS(name)
	if !ok {
		t.Fatalf("no shipped model %s", name)
	}
	m, err := inference.OpenFS(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, fsys
}

type goldenFile struct {
	Cases []struct {
		Name, Text, File string
		Target           int
		IDs              []int32   `json:"input_ids"`
		BaselineIDs      []int32   `json:"baseline_ids"`
		Logits           []float64 `json:"logits_float64"`
		BaselineLogits   []float64 `json:"baseline_logits_float64"`
		IG               struct {
			Attributions json.RawMessage
			Delta        float64
			Float32      float64 `json:"max_abs_diff_float32"`
		} `json:"integrated_gradients"`
		Last  struct{ Map [][]float64 } `json:"grad_cam_last_stage"`
		First struct{ Map [][]float64 } `json:"grad_cam_first_stage"`
	}
}

func readGolden(t *testing.T, fsys fs.FS) goldenFile {
	t.Helper()
	raw, err := fs.ReadFile(fsys, "golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldenFile
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) == 0 {
		t.Fatal("golden.json has no cases")
	}
	return g
}

// close4 compares to 1e-4 relative to the largest value, or to four times what the reference library's own float32
// run differs by: on ReLU networks a path point may fall on either side of a kink.
func close4(t *testing.T, what string, got, want []float64, float32Error float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > max(1e-4*scale, 4*float32Error) {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestSentimentGolden(t *testing.T) {
	m, fsys := shipped(t, "sentiment-minilm")
	for _, c := range readGolden(t, fsys).Cases {
		r := Request{Model: m, Input: inference.Input{Text: c.Text}, Method: "integrated-gradients",
			Params: map[string]any{"profile": "captum", "steps": 50}, Draws: -1}
		if strings.TrimSpace(c.Text) == "" { // the engine refuses an empty text
			if _, err := Explain(context.Background(), r); !errors.Is(err, inference.ErrInput) {
				t.Errorf("empty text: %v", err)
			}
			continue
		}
		e := mustExplain(t, r)
		var want []float64
		if err := json.Unmarshal(c.IG.Attributions, &want); err != nil {
			t.Fatal(err)
		}
		close4(t, c.Name, e.Attributions, want, c.IG.Float32)
		if e.Target.Index != c.Target || !slices.Equal(e.BaselineIDs, c.BaselineIDs) {
			t.Errorf("%s: target %d, baseline %v", c.Name, e.Target.Index, e.BaselineIDs)
		}
		near(t, c.Name+" output", []float64{e.Output, e.BaselineOutput, e.Delta}, []float64{c.Logits[c.Target], c.BaselineLogits[c.Target], c.IG.Delta}, 2e-5)
	}
}

func TestDigitsGolden(t *testing.T) {
	m, fsys := shipped(t, "digits-resnet")
	for _, c := range readGolden(t, fsys).Cases {
		picture, err := fs.ReadFile(fsys, c.File)
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Model: m, Input: inference.Input{Image: picture}, Method: "integrated-gradients",
			Params: map[string]any{"profile": "captum", "steps": 50}, Draws: -1}
		e := mustExplain(t, r)
		var want [][]float64
		if err := json.Unmarshal(c.IG.Attributions, &want); err != nil {
			t.Fatal(err)
		}
		close4(t, c.Name, widen(e.Map.Data), slices.Concat(want...), c.IG.Float32)
		if e.Target.Index != c.Target {
			t.Errorf("%s: target %d", c.Name, e.Target.Index)
		}
		near(t, c.Name+" output", []float64{e.Output, e.BaselineOutput}, []float64{c.Logits[c.Target], c.BaselineLogits[c.Target]}, 2e-5)
		r.Method, r.Params = "grad-cam", nil
		close4(t, c.Name+" last stage", widen(mustExplain(t, r).Map.Data), slices.Concat(c.Last.Map...), 0)
		r.Params = map[string]any{"layer": "resnet.encoder.stages.0"}
		close4(t, c.Name+" first stage", widen(mustExplain(t, r).Map.Data), slices.Concat(c.First.Map...), 0)
	}
}

// TestShippedModels runs every method that suits on the real models: bits do not depend on threads or repetition,
// and methods that promise completeness keep it.
func TestShippedModels(t *testing.T) {
	text, _ := shipped(t, "sentiment-minilm")
	image, fsys := shipped(t, "digits-resnet")
	picture, err := fs.ReadFile(fsys, "examples/digit-3-1.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m  *inference.Model
		in inference.Input
	}{{text, inference.Input{Text: "The acting was surprisingly good, although the plot made no sense."}}, {image, inference.Input{Image: picture}}} {
		for _, method := range Suited(c.m.Info()) {
			r := Request{Model: c.m, Input: c.in, Method: method.ID, Seed: 1, Draws: 3, Params: quick(method)}
			e := mustExplain(t, r)
			want := bits(t, e)
			for _, threads := range []int{1, 7} {
				r.Threads = threads
				if bits(t, mustExplain(t, r)) != want {
					t.Errorf("%s on %s: other bits with %d threads", method.ID, e.Info.Name, threads)
				}
			}
			checkComplete(t, method, e)
			if err := e.Seal(RecordContext{Time: time.Unix(0, 0)}); err != nil {
				t.Error(err)
			}
			t.Logf("%s on %s: delta %.4f of %.4f, %d gradients, %d forwards, %.3f s", method.ID, e.Info.Name, e.Delta, e.Output-e.BaselineOutput, e.Gradients, e.Forwards, e.Seconds)
		}
	}
}

// BenchmarkAdaptive24 is the goal of the design: adaptive integrated gradients on 24 tokens in under a second.
func BenchmarkAdaptive24(b *testing.B) {
	fsys, _ := pretrained.FS("sentiment-minilm")
	m, err := inference.OpenFS(fsys, "sentiment-minilm")
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	in := inference.Input{Text: "the hotel room was small and noisy but the staff were kind and the breakfast was really good this time"}
	enc, err := m.Encode(context.Background(), in)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := Explain(context.Background(), Request{Model: m, Input: in, Method: "integrated-gradients", Draws: -1})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(e.Gradients), "gradients")
	}
	b.ReportMetric(float64(len(enc.Windows[0].Tokens)), "tokens")
}

// A text of more tokens than the model takes is explained window by window, of two texts the longer one; the answer
// explained is the one that Predict gives.
func TestLongText(t *testing.T) {
	m, _ := shipped(t, "sentiment-minilm")
	long := strings.Repeat("The food was good but the waiter was rude. ", 60)
	short := "A review."
	for _, in := range []inference.Input{{Text: long}, {Text: long, Pair: &short}, {Text: short, Pair: &long}} {
		p, err := m.Predict(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		e := mustExplain(t, Request{Model: m, Input: in, Method: "input-x-gradient", Draws: -1})
		if len(e.Windows) != len(p.Windows) || len(e.Windows) < 2 {
			t.Fatalf("%d windows, the prediction has %d", len(e.Windows), len(p.Windows))
		}
		if math.Abs(e.Output-p.Labels[0].Logit) > 1e-5 || e.Target.Label != p.Labels[0].Label {
			t.Errorf("explained %s %v, predicted %s %v", e.Target.Label, e.Output, p.Labels[0].Label, p.Labels[0].Logit)
		}
		pair := in.Pair == &long
		for i, w := range e.Windows {
			if w.Pair != pair || w.Start >= w.End || i > 0 && (w.Start <= e.Windows[i-1].Start || w.Start >= e.Windows[i-1].End) {
				t.Errorf("window %d: %d to %d, pair %v", i, w.Start, w.End, w.Pair)
			}
		}
		content, want := 0, len(p.Tokens)
		for _, tok := range e.Tokens {
			if !tok.Special {
				content++
			}
		}
		if content != want {
			t.Errorf("%d tokens, the prediction has %d", content, want)
		}
		if last := e.Windows[len(e.Windows)-1].End; last != len(strings.TrimSpace(long)) {
			t.Errorf("the last window ends at %d of %d", last, len(long))
		}
		if !slices.Contains(e.Warnings, WarnWindowed) {
			t.Errorf("warnings %v", e.Warnings)
		}
	}
}

// The cost named before running is near what is spent.
func TestEstimate(t *testing.T) {
	m, _ := shipped(t, "sentiment-minilm")
	for _, method := range Suited(m.Info()) {
		r := Request{Model: m, Input: inference.Input{Text: "I love this phone: the screen is gorgeous."}, Method: method.ID, Draws: 5, Params: quick(method)}
		before, err := Estimate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		e := mustExplain(t, r)
		spent := e.Forwards + 3*e.Gradients
		if slices.Contains(e.Warnings, WarnEqual) { // which cannot be known before: its figures are left out
			r.Draws = -1
			if before, err = Estimate(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		if f := before.Forwards + 3*before.Gradients; 2*f < spent || f > 3*spent {
			t.Errorf("%s: estimated %d forwards and %d gradients, spent %d and %d", method.ID, before.Forwards, before.Gradients, e.Forwards, e.Gradients)
		}
		t.Logf("%s: estimated %.3f s, took %.3f s", method.ID, before.Seconds, e.Seconds)
	}
}

// Without an input the same cost comes out as for an input of that length, of one window and of several.
func TestTypicalIsEstimate(t *testing.T) {
	m, _ := shipped(t, "sentiment-minilm")
	text := "I love this phone: the screen is gorgeous."
	in, err := m.Encode(context.Background(), inference.Input{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range Suited(m.Info()) {
		want, err := Estimate(context.Background(), Request{Model: m, Input: inference.Input{Text: text}, Method: method.ID})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Typical(method, m.Info(), len(in.Windows[0].Tokens))
		if err != nil || got.Forwards != want.Forwards || got.Gradients != want.Gradients {
			t.Errorf("%s: typical %+v, estimated %+v, %v", method.ID, got, want, err)
		}
		long, err := Typical(method, m.Info(), 3*m.Info().MaxTokens)
		params, _ := method.Resolve(nil)
		own := method.Cost(m.Info(), m.Info().MaxTokens, params).Gradients
		if one, _ := Typical(method, m.Info(), m.Info().MaxTokens); err != nil || long.Gradients != one.Gradients+2*own || long.Forwards <= one.Forwards {
			t.Errorf("%s: three windows %+v, one %+v, %v", method.ID, long, one, err)
		}
	}
}
