package app

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"vitrine/explain"
	"vitrine/policy"
)

// TestExplainWritten: each word of a stored answer is explained, alone, against another and all together, kept, found again and
// made again from what is kept; what stands behind a masked word is not.
func TestExplainWritten(t *testing.T) {
	a, c := writing(t)
	ctx := context.Background()
	p, err := a.Generate(ctx, c, GenerateRequest{Model: writer, Text: text("My address is anna@example.org:")}, Sink{})
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for before < len(p.Output.Generated[0].Tokens) && !p.Output.Generated[0].Tokens[before].Masked {
		before++
	}
	all, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: "input-x-gradient"})
	if err != nil {
		t.Fatal(err)
	}
	if all.Target.Words != before || all.Target.Index != -1 || all.Grid == nil || len(all.Grid.Values) != before || len(all.Metrics) == 0 {
		t.Errorf("all words: %+v, %d rows of %d", all.Target, len(all.Grid.Values), before)
	}
	other := p.Output.Generated[0].Tokens[5].Alternatives[1]
	one, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: "integrated-gradients", Target: "5", Params: map[string]any{"contrast": "#" + strconv.Itoa(int(other.ID))}})
	if err != nil {
		t.Fatal(err)
	}
	if one.Target.Index != 5 || one.Target.Minus == nil || one.Target.Quantity != "diff" || len(one.Tokens) != len(p.Tokens)+5 {
		t.Errorf("one word: %+v of %d tokens", one.Target, len(one.Tokens))
	}
	again, err := a.Explanation(ctx, c, one.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(again)
	if err != nil || strings.Contains(string(raw), "anna@") || strings.Contains(string(again.Record), "there") {
		t.Errorf("%v: %s", err, raw)
	}
	for target, want := range map[string]error{strconv.Itoa(before): ErrInputNotKept, "99": ErrUnknownLabel, "x": ErrUnknownLabel} {
		if _, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: "saliency", Target: target}); !errors.Is(err, want) {
			t.Errorf("word %s: %v, want %v", target, err, want)
		}
	}
	if _, err := a.Explain(ctx, c, p.ID, ExplainRequest{Method: "saliency", Answer: 1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("another answer: %v", err)
	}
	row, err := a.store.ModelByName(ctx, a.workspace, p.Model.Name, p.Model.Version)
	if err != nil {
		t.Fatal(err)
	}
	model, err := a.model(row)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := writtenText(model, p, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := explain.Replay(ctx, explain.ReplayRequest{Record: one.Record, Hash: one.RecordHash, Model: model, Continuation: kept})
	if err != nil || !r.Identical {
		t.Errorf("replayed: %+v, %v", r, err)
	}
	if v, err := a.ReplayExplanation(ctx, c, one.ID); err != nil || !v.Identical {
		t.Errorf("replayed from what is stored: %+v, %v", v, err)
	}
}

// TestGridLevels: a grid is let out as its explanation is.
func TestGridLevels(t *testing.T) {
	g := &explain.Grid{Rows: []string{"0"}, Values: [][]float64{{0.123456, -2}}}
	two := 2
	for level, want := range map[string]float64{policy.LevelFull: 0.123456, policy.LevelRounded: 0.12} {
		if got := revealGrid(policy.Obligations{ExplanationLevel: level, Round: &two}, level, g); level == policy.LevelRounded && got.Values[0][0] != want {
			t.Errorf("%s: %v", level, got.Values)
		}
	}
	if got := revealGrid(policy.Obligations{}, policy.LevelSigns, g); got.Values[0][1] != -1 {
		t.Errorf("signs: %v", got.Values)
	}
	if revealGrid(policy.Obligations{}, policy.LevelNone, g) != nil || g.Values[0][0] != 0.123456 {
		t.Error("level none lets a grid out, or the grid was changed")
	}
}
