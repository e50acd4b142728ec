package explain

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"vitrine/inference"
)

func TestRefusals(t *testing.T) {
	text, image := toyText(), toyImage()
	other := toyText()
	other.info.Task = "fill-mask"
	for name, c := range map[string]struct {
		r    Request
		want error
		says string
	}{
		"method":          {Request{Model: text, Method: "tea-leaves"}, ErrUnknownMethod, "tea-leaves"},
		"no model":        {Request{Method: "saliency"}, ErrUnsuitable, "no model"},
		"cam on text":     {Request{Model: text, Method: "grad-cam"}, ErrUnsuitable, "image"},
		"heads on cnn":    {Request{Model: image, Method: "chefer"}, ErrUnsuitable, "no attention"},
		"task":            {Request{Model: other, Method: "saliency"}, ErrUnsuitable, "fill-mask"},
		"label":           {Request{Model: text, Method: "saliency", Target: "wonderful"}, ErrTarget, "so-so"},
		"index":           {Request{Model: text, Method: "saliency", Target: "3"}, ErrTarget, "0 to 2"},
		"param":           {Request{Model: text, Method: "saliency", Params: map[string]any{"stepz": 1}}, ErrParam, "stepz"},
		"steps":           {Request{Model: text, Method: "integrated-gradients", Params: map[string]any{"steps": 0}}, ErrParam, "1 to 300"},
		"blur on text":    {Request{Model: text, Method: "occlusion", Params: map[string]any{"baseline": "blur"}}, ErrParam, "pad, mask or zero"},
		"pad on image":    {Request{Model: image, Method: "occlusion", Params: map[string]any{"baseline": "pad"}}, ErrParam, "zero, blur or mean"},
		"stride":          {Request{Model: text, Method: "occlusion", Params: map[string]any{"window": 2, "stride": 3}}, ErrParam, "never be covered"},
		"cam layer":       {Request{Model: image, Method: "grad-cam", Params: map[string]any{"layer": "9"}}, ErrParam, "features.0"},
		"attention layer": {Request{Model: text, Method: "attention", Params: map[string]any{"layer": 2}}, ErrParam, "2 layers"},
		"row":             {Request{Model: text, Method: "chefer", Params: map[string]any{"row": 99}}, ErrParam, "positions"},
		"diff":            {Request{Model: text, Method: "saliency", Params: map[string]any{"quantity": "diff"}}, ErrParam, "contrast"},
		"same":            {Request{Model: text, Method: "saliency", Target: "bad", Params: map[string]any{"quantity": "diff", "contrast": "bad"}}, ErrParam, "itself"},
		"contrast":        {Request{Model: text, Method: "saliency", Params: map[string]any{"contrast": "bad"}}, ErrParam, "diff"},
	} {
		if c.r.Model != nil {
			c.r.Input = toyInputs[c.r.Model.Info().Modality]
		}
		_, err := Explain(context.Background(), c.r)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Explain(ctx, Request{Model: toyText(), Input: toyInputs["text"], Method: "saliency"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNotFinite(t *testing.T) {
	m := analytic(2, 1, func([]float64) float64 { return math.NaN() }, nil)
	_, err := Explain(context.Background(), Request{Model: m, Input: toyInputs["image"], Method: "saliency"})
	if !errors.Is(err, ErrNumber) {
		t.Error(err)
	}
}

func TestTargets(t *testing.T) {
	r := Request{Model: toyText(), Input: toyInputs["text"], Method: "input-x-gradient", Draws: -1}
	for want, in := range map[int]string{0: "BAD", 1: "so-so", 2: "2"} {
		r.Target = in
		if e := mustExplain(t, r); e.Target.Index != want || e.Target.Label != toyText().info.Labels[want] || e.Target.Quantity != "logit" {
			t.Errorf("%s: %+v", in, e.Target)
		}
	}
	r.Target, r.Params = "good", map[string]any{"quantity": "diff", "contrast": "bad"}
	both := mustExplain(t, r)
	r.Params = nil
	good := mustExplain(t, r)
	r.Target = "bad"
	bad := mustExplain(t, r)
	for i, v := range both.Attributions {
		if math.Abs(v-(good.Attributions[i]-bad.Attributions[i])) > 1e-6 {
			t.Errorf("token %d: %v is not %v - %v", i, v, good.Attributions[i], bad.Attributions[i])
		}
	}
	if both.Target.Minus == nil || *both.Target.Minus != 0 {
		t.Errorf("%+v", both.Target)
	}
}

// A long text is explained window by window; the sum stays complete, and tokens that two windows share are listed
// once.
func TestWindows(t *testing.T) {
	m := toyText()
	m.window = 4
	text := "one two three four five six seven eight nine ten"
	e := mustExplain(t, Request{Model: m, Input: inference.Input{Text: text}, Method: "integrated-gradients", Target: "good"})
	if len(e.Windows) != 3 || len(e.Tokens) != 12 {
		t.Fatalf("%d windows, %d tokens", len(e.Windows), len(e.Tokens))
	}
	var words []string
	for _, w := range e.Tokens {
		words = append(words, w.Text)
	}
	if got := strings.Join(words, " "); got != "[CLS] "+text+" [SEP]" {
		t.Error(got)
	}
	if math.Abs(e.Delta) > max(0.01*math.Abs(e.Output-e.BaselineOutput), 1e-4) {
		t.Errorf("delta %v", e.Delta)
	}
	weight, output := 0.0, 0.0
	for _, w := range e.Windows {
		weight += w.Weight
		output += w.Weight * w.Output
		if w.Count != 4 || len(w.Attributions) != 6 || text[w.Start:w.End] == "" {
			t.Errorf("%+v", w)
		}
	}
	if math.Abs(weight-1) > 1e-12 || math.Abs(output-e.Output) > 1e-12 {
		t.Errorf("weights %v, output %v for %v", weight, output, e.Output)
	}
	if e.Windows[1].First != 4 || e.Windows[1].Start != strings.Index(text, "four") {
		t.Errorf("second window %+v", e.Windows[1])
	}
	if len(e.Warnings) == 0 || e.Warnings[0] != WarnWindowed {
		t.Errorf("warnings %v", e.Warnings)
	}
}

func TestWords(t *testing.T) {
	e := mustExplain(t, Request{Model: toyText(), Input: toyInputs["text"], Method: "integrated-gradients", Draws: -1})
	words := Words(e)
	if len(words) != 8 || words[3].Text != "sur-pris-ingly" || words[3].Count != 3 {
		t.Fatalf("%+v", words)
	}
	total := 0.0
	for _, w := range words {
		total += w.Value
		if got := toyInputs["text"].Text[w.Start:w.End]; got != w.Text {
			t.Errorf("%q at %q", w.Text, got)
		}
	}
	if math.Abs(total-sum(e.Attributions)) > 1e-12 {
		t.Errorf("words sum to %v, tokens to %v", total, sum(e.Attributions))
	}
	for_, against := Top(words, 3)
	if len(for_) == 0 || len(for_) > 3 || len(against) == 0 {
		t.Fatalf("%+v %+v", for_, against)
	}
	for i, w := range for_ {
		if w.Value <= 0 || i > 0 && w.Value > for_[i-1].Value {
			t.Errorf("%+v", for_)
		}
	}
}

// Values of torch.nn.functional.interpolate(mode="bilinear", align_corners=False) on [[0,1],[2,3]] to 4x4.
func TestUpsample(t *testing.T) {
	got := Upsample(inference.Tensor{Shape: []int{2, 2}, Data: []float32{0, 1, 2, 3}}, 4, 4)
	near(t, "upsample", widen(got.Data), []float64{0, .25, .75, 1, .5, .75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2, 2.25, 2.75, 3}, 1e-7)
}

func TestHeat(t *testing.T) {
	e := mustExplain(t, Request{Model: toyImage(), Input: toyInputs["image"], Method: "grad-cam", Draws: -1})
	for _, positive := range []bool{false, true} {
		h := Heat(e, positive)
		top, low := float32(0), float32(0)
		for _, v := range h.Data {
			top, low = max(top, v, -v), min(low, v)
		}
		if h.Shape[0] != 8 || top != 1 || positive && low != 0 {
			t.Errorf("%v: top %v, low %v", h.Shape, top, low)
		}
	}
}

// The zero-embedding baseline keeps special tokens; occlusion with it equals occlusion by hand.
func TestZeroEmbedding(t *testing.T) {
	for _, method := range []string{"integrated-gradients", "occlusion"} {
		e := mustExplain(t, Request{Model: toyText(), Input: toyInputs["text"], Method: method, Params: map[string]any{"baseline": "zero"}, Draws: -1})
		last := len(e.Attributions) - 1
		if e.Attributions[0] != 0 || e.Attributions[last] != 0 || e.Attributions[1] == 0 {
			t.Errorf("%s: %v", method, e.Attributions)
		}
	}
}

func TestTokenClassification(t *testing.T) {
	m := toyText()
	m.info.Task, m.info.Labels = "token-classification", []string{"O", "B-X", "I-X"}
	inner := m.forward
	m.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		_, taps := inner(x, over)
		var logits []float64
		for i := range x.IDs {
			for k := range 3 {
				v := 0.0
				for c := range 4 {
					v += taps["embeddings.word"].data[i*4+c] * wave(70, k*4+c)
				}
				logits = append(logits, v)
			}
		}
		return logits, taps
	}
	target := tokenEngine{m}
	e := mustExplain(t, Request{Model: target, Input: toyInputs["text"], Method: "integrated-gradients", Draws: -1})
	if e.Target.Token == nil || e.Target.Label == "O" {
		t.Fatalf("%+v", e.Target)
	}
	e = mustExplain(t, Request{Model: target, Input: toyInputs["text"], Method: "integrated-gradients", Target: "2:I-X"})
	if *e.Target.Token != 2 || e.Target.Label != "I-X" || math.Abs(e.Attributions[2]-(e.Output-e.BaselineOutput)) > 1e-4 {
		t.Errorf("%+v %v", e.Target, e.Attributions)
	}
	for _, bad := range []string{"I-X", "99:I-X", "2:nothing", "-1:O"} {
		if _, err := Explain(context.Background(), Request{Model: target, Input: toyInputs["text"], Method: "saliency", Target: bad}); !errors.Is(err, ErrTarget) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// tokenEngine reads a {token, class} target from flat logits of three classes.
type tokenEngine struct{ *toy }

func (m tokenEngine) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	if spec.Target != nil {
		flat := *spec.Target
		flat.Index = []int{flat.Index[0]*3 + flat.Index[1]}
		spec.Target = &flat
	}
	return m.toy.Run(ctx, batch, spec)
}

// An embedding is explained one dimension at a time.
func TestEmbedding(t *testing.T) {
	m := toyText()
	m.info.Task, m.info.Labels = "feature-extraction", nil
	r := Request{Model: m, Input: toyInputs["text"], Method: "integrated-gradients", Target: "1"}
	if e := mustExplain(t, r); e.Target.Index != 1 || e.Target.Label != "1" || len(e.Metrics) < 3 {
		t.Errorf("%+v", e.Target)
	}
	r.Target = ""
	if e := mustExplain(t, r); e.Output == 0 {
		t.Errorf("%+v", e)
	}
	r.Target = "3"
	if _, err := Explain(context.Background(), r); !errors.Is(err, ErrTarget) {
		t.Error(err)
	}
	r.Target, r.Params = "", map[string]any{"quantity": "prob"}
	if _, err := Explain(context.Background(), r); !errors.Is(err, ErrParam) {
		t.Error(err)
	}
}

// Several explanations of one model at once give the bits that each gives alone.
func TestConcurrent(t *testing.T) {
	r := Request{Model: toyText(), Input: toyInputs["text"], Seed: 3, Draws: 2}
	var wait sync.WaitGroup
	for _, m := range Suited(toyText().info) {
		r.Method, r.Params = m.ID, quick(m)
		want := bits(t, mustExplain(t, r))
		for range 2 {
			wait.Add(1)
			go func(r Request) {
				defer wait.Done()
				r.Model = toyText()
				e, err := Explain(context.Background(), r)
				if err != nil || bits(t, e) != want {
					t.Errorf("%s: other bits beside others (%v)", r.Method, err)
				}
			}(r)
		}
	}
	wait.Wait()
}

func FuzzParams(f *testing.F) {
	f.Add("steps", "50", 1.5)
	f.Add("baseline", "pad", -1.0)
	f.Add("contrast", "\xff", math.Inf(1))
	f.Fuzz(func(t *testing.T, name, text string, number float64) {
		for _, m := range Methods() {
			for _, v := range []any{text, number, int(number), nil, []byte(text)} {
				got, err := m.Resolve(map[string]any{name: v})
				if err != nil && !errors.Is(err, ErrParam) {
					t.Errorf("%v", err)
				}
				if err == nil && len(got) != len(m.Params) {
					t.Errorf("%d parameters", len(got))
				}
			}
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"", "good", "2", "3:I-X", "-1", "99:", ":", "\xff\xfe"} {
		f.Add(s)
	}
	m := toyText()
	f.Fuzz(func(t *testing.T, target string) {
		_, err := Explain(context.Background(), Request{Model: m, Input: inference.Input{Text: "a b"}, Method: "attention", Target: target, Draws: -1})
		if err != nil && !errors.Is(err, ErrTarget) {
			t.Error(err)
		}
	})
}

func FuzzExplanationJSON(f *testing.F) {
	f.Add([]byte(`{"attributions":[1,2]}`))
	f.Add([]byte(`{"attributions":[[1],[2]],"image_height":2,"attention":{"shape":[1,1,1,1],"data":"AAAAAA=="}}`))
	f.Add([]byte(`{"attributions":[],"attention":{"shape":[9223372036854775807,2,2,2],"data":""}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e Explanation
		if json.Unmarshal(raw, &e) != nil {
			return
		}
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
	})
}
