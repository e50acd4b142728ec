package explain

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// sumToy is a text model whose logits are sums over its tokens: token value times (1, -1). Token ids 10 and 11 count alike, id 12
// counts for nothing.
func sumToy() *toy {
	m := toyText()
	m.info.Digest = "sum"
	m.info.Labels = []string{"no", "yes"}
	m.info.Taps.Attentions, m.info.Taps.Hidden = nil, []string{"hidden_states.0", "hidden_states.1"}
	worth := func(id int32) float64 {
		switch id {
		case 10, 11:
			return 2
		case 13:
			return -1
		}
		return 0
	}
	m.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		t := len(x.IDs)
		e := make([]float64, t*4)
		for i := range t {
			e[i*4] = worth(x.IDs[i])
			if x.Embeddings != nil {
				copy(e[i*4:(i+1)*4], widen(x.Embeddings[i*4:(i+1)*4]))
			}
		}
		taps := map[string]toyValue{}
		for _, name := range []string{"embeddings.word", "hidden_states.0", "hidden_states.1"} {
			if o, ok := over[name]; ok {
				e = o
			}
			taps[name] = toyValue{[]int{t, 4}, e}
		}
		total := 0.0
		for i := range t {
			total += e[i*4]
		}
		return []float64{-total, total}, taps
	}
	return m
}

// ids makes an engine answer Encode with given ids, between [CLS] and [SEP].
type ids struct {
	*toy
	list []int32
}

func (e ids) Encode(context.Context, inference.Input) (*inference.Encoded, error) {
	w := inference.Window{}
	for i, id := range append(append([]int32{1}, e.list...), 2) {
		special := i == 0 || i == len(e.list)+1
		tok := inference.Token{Text: "w", ID: id, Start: i, End: i + 1, Special: special, Word: i, Index: i - 1}
		if special {
			tok.Index, tok.Word = -1, -1
		}
		w.Tokens, w.Example.IDs, w.Example.Types = append(w.Tokens, tok), append(w.Example.IDs, id), append(w.Example.Types, 0)
	}
	return &inference.Encoded{Windows: []inference.Window{w}}, nil
}

// additive are the methods whose values on a sum must be the summands: dummies get nothing and equals get the same.
var additive = []string{"input-x-gradient", "integrated-gradients", "sequential-integrated-gradients", "layer-integrated-gradients",
	"layer-gradient-x-activation", "occlusion", "feature-ablation", "shapley", "shapley-sampling", "kernel-shap", "owen"}

func TestDummyAndSymmetry(t *testing.T) {
	for _, id := range additive {
		e := mustExplain(t, Request{Model: ids{sumToy(), []int32{10, 12, 11, 13}}, Method: id, Target: "yes", Draws: -1})
		want := []float64{0, 2, 0, 2, -1, 0}
		for i, v := range e.Attributions {
			if math.Abs(v-want[i]) > 1e-4 {
				t.Errorf("%s: token %d is %v, want %v", id, i, v, want[i])
			}
		}
	}
	for _, id := range []string{"lime", "gradient-shap"} { // estimates: equals alike, dummy smaller than all
		e := mustExplain(t, Request{Model: ids{sumToy(), []int32{10, 12, 11, 13}}, Method: id, Target: "yes", Draws: -1})
		v := e.Attributions
		if math.Abs(v[1]-v[3]) > 0.2*math.Abs(v[1]) || math.Abs(v[2]) > 0.3*math.Abs(v[4]) || v[4] >= 0 {
			t.Errorf("%s: %v", id, v)
		}
	}
}

// TestFewTokens: one token, and special tokens only, give an explanation or a reason, never a number that is none.
func TestFewTokens(t *testing.T) {
	for name, list := range map[string][]int32{"one": {10}, "none": {}, "all equal": {12, 12, 12}} {
		for _, m := range Suited(sumToy().info) {
			e, err := Explain(context.Background(), Request{Model: ids{sumToy(), list}, Method: m.ID, Draws: 3, Params: quick(m)})
			if err != nil {
				if !errors.Is(err, ErrUnsuitable) && !errors.Is(err, ErrTarget) {
					t.Errorf("%s, %s: %v", m.ID, name, err)
				}
				continue
			}
			for _, v := range append(slices.Clone(e.Attributions), e.Delta, e.Output) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("%s, %s: %v", m.ID, name, e.Attributions)
				}
			}
			if name == "none" && !slices.Contains(e.Warnings, WarnEmpty) {
				t.Errorf("%s: special tokens only, and no warning", m.ID)
			}
			for _, f := range e.Metrics {
				if math.IsNaN(f.Value) || math.IsNaN(f.Control) {
					t.Errorf("%s, %s: figure %+v", m.ID, name, f)
				}
			}
		}
	}
}

// TestNothingToExplain: a constant model, and a baseline equal to the input, are said to be what they are by every method: no
// value but zero, no figure of a ranking, no completeness that is none.
func TestNothingToExplain(t *testing.T) {
	constant := sumToy()
	constant.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		_, taps := sumToy().forward(x, over)
		return []float64{1, 2}, taps
	}
	same := sumToy()
	black := toyImage()
	for name, c := range map[string]struct {
		m    Engine
		in   inference.Input
		code string
	}{
		"constant model":           {ids{constant, []int32{10, 12, 13}}, inference.Input{}, WarnEqual},
		"text of the baseline":     {ids{same, []int32{0, 0, 0}}, inference.Input{}, WarnSame},
		"picture of the baseline":  {black, inference.Input{Image: []byte{64}}, WarnSame},
		"constant model, one word": {ids{constant, []int32{10}}, inference.Input{}, WarnEqual},
	} {
		for _, m := range Suited(c.m.Info()) {
			e, err := Explain(context.Background(), Request{Model: c.m, Input: c.in, Method: m.ID, Draws: 3, Params: quick(m)})
			if err != nil {
				if !errors.Is(err, ErrUnsuitable) {
					t.Errorf("%s, %s: %v", m.ID, name, err)
				}
				continue
			}
			if !slices.Contains(e.Warnings, c.code) {
				t.Errorf("%s, %s: warnings %v", m.ID, name, e.Warnings)
			}
			ranks := metric.Ranks(Units(e))
			for _, f := range e.Metrics {
				if c.code == WarnSame && f.ID == "completeness" || !ranks && f.ID != "completeness" && f.ID != "sensitivity-max" {
					t.Errorf("%s, %s: a figure %+v", m.ID, name, f)
				}
			}
		}
	}
}

// TestNotFiniteLater: a model that breaks on some masked input only is an error of every method or figure that meets it, and no
// value that is none gets through.
func TestNotFiniteLater(t *testing.T) {
	m := sumToy()
	inner := m.forward
	m.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		logits, taps := inner(x, over)
		if !slices.Contains(x.IDs, 13) {
			logits[0], logits[1] = math.NaN(), math.Inf(1)
		}
		return logits, taps
	}
	for _, method := range Suited(m.info) {
		_, err := Explain(context.Background(), Request{Model: ids{m, []int32{10, 12, 13}}, Method: method.ID, Draws: 3, Params: quick(method)})
		if !errors.Is(err, ErrNumber) {
			t.Errorf("%s: %v", method.ID, err)
		}
	}
}

// TestFlatAnswers: a constant model and a baseline equal to the input are said to be flat by perturbation games.
func TestFlatAnswers(t *testing.T) {
	for _, id := range []string{"shapley", "kernel-shap", "owen", "lime", "feature-ablation"} {
		e := mustExplain(t, Request{Model: ids{sumToy(), []int32{12, 12, 12}}, Method: id, Target: "yes", Draws: -1})
		if !slices.Contains(e.Warnings, WarnFlat) {
			t.Errorf("%s: warnings %v, values %v", id, e.Warnings, e.Attributions)
		}
	}
}

func TestTooManyPlayers(t *testing.T) {
	many := make([]int32, 10000)
	for i := range many {
		many[i] = 10 + int32(i%3)
	}
	m := sumToy()
	m.info.MaxTokens = 20000
	for id, advice := range map[string]string{"shapley": "shapley-sampling", "shapley-sampling": "budget", "kernel-shap": "groups", "lime": "groups"} {
		_, err := Explain(context.Background(), Request{Model: ids{m, many}, Method: id, Params: map[string]any{"group": "token"}, Draws: -1})
		if !errors.Is(err, ErrUnsuitable) || !strings.Contains(err.Error(), advice) {
			t.Errorf("%s on 10,000 tokens: %v", id, err)
		}
	}
}

// TestCancel: a method that is under way runs the model no more once its context has ended; the engine itself ends a run
// within a tenth of a second.
func TestCancel(t *testing.T) {
	for _, m := range Suited(toyText().info) {
		ctx, stop := context.WithCancel(context.Background())
		slow := &slowEngine{toy: toyText(), stop: stop}
		done := make(chan error, 1)
		go func() {
			_, err := Explain(ctx, Request{Model: slow, Input: toyInputs["text"], Method: m.ID})
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", m.ID, err)
			}
			if n := slow.calls.Load(); n > stopAt+1 {
				t.Errorf("%s ran the model %d times after it was stopped", m.ID, n-stopAt)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s does not end", m.ID)
		}
		stop()
	}
}

// stopAt is the run during which a slowEngine stops the context.
const stopAt = 2

type slowEngine struct {
	*toy
	stop  func()
	calls atomic.Int64
}

func (e *slowEngine) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	if e.calls.Add(1) == stopAt {
		e.stop()
	}
	return e.toy.Run(ctx, batch, spec)
}
