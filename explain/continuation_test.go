package explain

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/inference"
)

// writer opens one of the small generators that the references were made with.
func writer(t *testing.T, name string) *inference.Model {
	t.Helper()
	m, err := inference.OpenFS(os.DirFS("conformance/testdata/golden/explain/"+name+"/checkpoint"), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func spelled(special int, ids ...int32) []inference.Token {
	out := make([]inference.Token, len(ids))
	for i, id := range ids {
		out[i] = inference.Token{ID: id, Text: "w", Start: 2 * i, End: 2*i + 1, Special: i == special, Word: i}
	}
	return out
}

// written is what a model of that name read and wrote.
func written(name string) *Continuation {
	switch name {
	case "t5":
		return &Continuation{Prompt: spelled(7, 113, 62, 34, 116, 155, 138, 107, 1), Start: spelled(0, 0), Answer: spelled(-1, 131, 74, 8, 8)}
	case "bart":
		return &Continuation{Prompt: spelled(7, 153, 196, 196, 191, 34, 139, 6, 2), Start: spelled(0, 2), Answer: spelled(-1, 57, 57, 57, 57)}
	case "llama":
		return &Continuation{Prompt: spelled(0, 1, 46, 174, 53, 133, 85, 7, 41), Answer: spelled(-1, 195, 96, 165, 137)}
	}
	return &Continuation{Prompt: spelled(0, 1, 142, 169, 69, 186, 52, 192, 38), Answer: spelled(-1, 180, 180, 180, 169)}
}

// TestWrittenWords: explaining all words together gives each row the very bits that the word has when it is explained alone, and what was
// written later has no part in it; the sum over the words keeps completeness.
func TestWrittenWords(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "t5", "bart"} {
		m, c := writer(t, name), written(name)
		for _, method := range []string{"input-x-gradient", "saliency", "integrated-gradients", "occlusion", "attention", "chefer", "shapley-sampling"} {
			ask := Request{Model: m, Continuation: c, Method: method, Draws: 2, Params: map[string]any{"baseline": "zero"}}
			all := mustExplain(t, ask)
			if len(all.Grid.Values) != len(c.Answer) || all.Target.Index != -1 || all.Target.Words != len(c.Answer) || all.Target.Quantity != "logprob" {
				t.Fatalf("%s %s: %d rows, target %+v", name, method, len(all.Grid.Values), all.Target)
			}
			total := make([]float64, len(all.Attributions))
			for word, row := range all.Grid.Values {
				for i, v := range row {
					total[i] += v
				}
				ask.Target = string('0' + rune(word))
				one := mustExplain(t, ask)
				n := len(one.Attributions)
				if method == "shapley-sampling" { // draws over another number of players
					continue
				}
				if !reflect.DeepEqual(row[:n], one.Attributions) {
					t.Errorf("%s %s word %d:\n%v together\n%v alone", name, method, word, row[:n], one.Attributions)
				}
				for i, v := range row[n:] {
					if v != 0 {
						t.Errorf("%s %s: word %d has %v of token %d, which was written later", name, method, word, v, n+i)
					}
				}
			}
			if !slices.Equal(total, all.Attributions) {
				t.Errorf("%s %s: %v is not the sum of the rows %v", name, method, all.Attributions, total)
			}
			if len(all.Metrics) == 0 {
				t.Errorf("%s %s: no figures", name, method)
			}
		}
	}
}

// TestWordRecord: the record of a word holds no text, comes back bit for bit, and is made again from what was read and written
// only.
func TestWordRecord(t *testing.T) {
	m, c := writer(t, "llama"), written("llama")
	c.Answer[2].Text = "secret"
	for _, ask := range []Request{
		{Method: "integrated-gradients", Target: "2", Params: map[string]any{"contrast": "#70"}},
		{Method: "input-x-gradient"},
		{Method: "logit-lens", Target: "1"},
		{Method: "lime", Target: "2"},
	} {
		ask.Model, ask.Continuation, ask.Draws, ask.Seed = m, c, 3, 7
		e := mustExplain(t, ask)
		if err := e.Seal(RecordContext{Time: time.Unix(0, 0)}); err != nil {
			t.Fatal(err)
		}
		if ask.Target == "2" && (e.Target.Label != "secret" || slices.Contains(e.Warnings, "secret")) {
			t.Errorf("target %+v", e.Target)
		}
		if s := string(e.Record); slices.Contains([]bool{len(s) == 0, strings.Contains(s, "secret")}, true) {
			t.Errorf("the record holds what was written: %s", s)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back Explanation
		if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(back.Attributions, e.Attributions) || !reflect.DeepEqual(back.Grid, e.Grid) {
			t.Errorf("%s came back differently: %v", ask.Method, err)
		}
		r, err := Replay(context.Background(), ReplayRequest{Record: e.Record, Hash: e.RecordHash, Model: m, Continuation: c})
		if err != nil || !r.Identical {
			t.Errorf("%s: replayed %+v, %v", ask.Method, r, err)
		}
		in := inference.Input{Text: "w"}
		r, err = Replay(context.Background(), ReplayRequest{Record: e.Record, Model: m, Input: &in})
		if err != nil || r.Identical || len(r.Differences) != 1 || r.Differences[0].Code != "input-erased" {
			t.Errorf("%s: replayed without what was written: %+v, %v", ask.Method, r, err)
		}
		other := written("llama")
		other.Prompt[3].ID = 9
		r, err = Replay(context.Background(), ReplayRequest{Record: e.Record, Model: m, Continuation: other})
		if err != nil || r.Identical {
			t.Errorf("%s: replayed with another prompt: %+v, %v", ask.Method, r, err)
		}
	}
}

func TestWordRefusals(t *testing.T) {
	m, c, across := writer(t, "llama"), written("llama"), writer(t, "t5")
	for _, one := range []struct {
		r    Request
		want error
	}{
		{Request{Model: m, Method: "saliency", Input: inference.Input{Text: "w"}}, ErrUnsuitable},
		{Request{Model: m, Method: "saliency", Continuation: &Continuation{Prompt: c.Prompt}}, inference.ErrInput},
		{Request{Model: m, Method: "saliency", Continuation: c, Target: "4"}, ErrTarget},
		{Request{Model: m, Method: "saliency", Continuation: c, Target: "-1"}, ErrTarget},
		{Request{Model: m, Method: "logit-lens", Continuation: c}, ErrTarget},
		{Request{Model: m, Method: "hotflip", Continuation: c, Target: "0"}, ErrUnsuitable},
		{Request{Model: m, Method: "saliency", Continuation: c, Target: "0", Params: map[string]any{"contrast": "no such word"}}, ErrParam},
		{Request{Model: m, Method: "saliency", Continuation: c, Target: "0", Params: map[string]any{"contrast": "#195"}}, ErrParam},
		{Request{Model: m, Method: "saliency", Continuation: c, Params: map[string]any{"contrast": "#3"}}, ErrParam},
		{Request{Model: m, Method: "saliency", Continuation: c, Target: "0", Params: map[string]any{"contrast": "#99999999"}}, ErrParam},
		{Request{Model: across, Method: "attention-rollout", Continuation: written("t5"), Target: "0"}, ErrUnsuitable},
		{Request{Model: toyText(), Method: "saliency", Continuation: c}, ErrUnsuitable},
	} {
		if _, err := Explain(context.Background(), one.r); !errors.Is(err, one.want) {
			t.Errorf("%s, target %q, %v: %v, want %v", one.r.Method, one.r.Target, one.r.Params, err, one.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Explain(ctx, Request{Model: m, Method: "integrated-gradients", Continuation: c}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestContrastCompletes: the differences' path is complete too: why this word and not that one.
func TestContrastCompletes(t *testing.T) {
	m, c := writer(t, "gpt2"), written("gpt2")
	e := mustExplain(t, Request{Model: m, Continuation: c, Method: "integrated-gradients", Target: "1", Params: map[string]any{"contrast": "#141", "baseline": "zero"}, Draws: -1})
	if e.Target.Quantity != "diff" || e.Target.Minus == nil || *e.Target.Minus != 141 || abs(e.Delta) > max(0.01*abs(e.Output-e.BaselineOutput), 1e-4) {
		t.Errorf("%+v, delta %v of %v", e.Target, e.Delta, e.Output-e.BaselineOutput)
	}
}

func abs(x float64) float64 { return max(x, -x) }
