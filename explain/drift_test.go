package explain

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"testing"

	"vitrine/inference"
	"vitrine/inference/pretrained"
)

// TestDrift: a model does not drift from itself; one that answers otherwise does, and inputs are counted by slice.
func TestDrift(t *testing.T) {
	ctx := context.Background()
	same := DriftRequest{Before: toyText(), After: toyText(), Method: "input-x-gradient", Draws: 2,
		Inputs: []inference.Input{toyInputs["text"], {Text: "a dull and tedious film"}}, Slices: []string{"long", "short"}}
	d, err := Compare(ctx, same)
	if err != nil || d.Total.Spearman < 1-1e-12 || d.Total.TopK != 1 || d.Total.SignFlips != 0 || d.Total.Flipped != 0 || d.Total.Output != 0 || len(d.Slices) != 2 {
		t.Errorf("a model beside itself: %+v, %v", d, err)
	}
	other := toyText()
	forward := other.forward
	other.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		l, taps := forward(x, over)
		return []float64{-l[0], -l[1], -l[2]}, taps
	}
	same.After = other
	d, err = Compare(ctx, same)
	if err != nil || d.Total.Flipped != 2 || d.Total.Spearman > -0.99 || d.Total.SignFlips < 0.9 || d.Total.Inputs != 2 {
		t.Errorf("a model turned round: %+v, %v", d, err)
	}
	same.Slices = same.Slices[:1]
	if _, err := Compare(ctx, same); !errors.Is(err, inference.ErrInput) {
		t.Errorf("a slice is missing: %v", err)
	}
}

func TestAgainst(t *testing.T) {
	s, err := Against(context.Background(), Request{Model: toyText(), Input: toyInputs["text"], Method: "integrated-gradients", Draws: -1}, []string{"pad", "mask", "zero"})
	if err != nil || len(s.Explanations) != 3 {
		t.Fatal(err)
	}
	moved := false
	for k := range s.Mean {
		if s.Low[k] > s.Mean[k] || s.High[k] < s.Mean[k] || math.IsNaN(s.Deviation[k]) {
			t.Errorf("value %d: %v in [%v,%v]", k, s.Mean[k], s.Low[k], s.High[k])
		}
		moved = moved || s.Deviation[k] > 1e-3
	}
	if !moved {
		t.Error("three baselines and no spread")
	}
}

// TestRandomise: with random weights the values of a method that reads the model resemble the first ones no more; guided
// backpropagation keeps more of its picture, and a check without inputs is refused.
func TestRandomise(t *testing.T) {
	fsys, _ := pretrained.FS("digits-resnet")
	r := SanityRequest{Checkpoint: fsys, Open: func(f fs.FS) (Engine, error) { return inference.OpenFS(f, "digits-resnet") },
		Inputs: []inference.Input{digit(t)}, Method: "grad-cam", Seed: 1}
	s, err := Randomise(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Passed || len(s.Steps) < 4 || s.Steps[0].Replaced != "head" || s.Steps[len(s.Steps)-1].Replaced != "embeddings" || s.Digest == "" {
		t.Errorf("%+v", s)
	}
	again, err := Randomise(context.Background(), r)
	if err != nil || again.Figure.Value != s.Figure.Value {
		t.Errorf("not repeatable: %v, %v", again, err)
	}
	r.Inputs = nil
	if _, err := Randomise(context.Background(), r); !errors.Is(err, inference.ErrInput) {
		t.Errorf("no inputs: %v", err)
	}
	if _, err := Rewritten(fsys, func(_ string, _ int, data []byte) ([]byte, error) { return data[:len(data)-1], nil }); !errors.Is(err, inference.ErrModel) {
		t.Errorf("too few bytes: %v", err)
	}
}

// FuzzRewrite: no bytes of a weights file make a panic.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte("\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\":1}}"))
	f.Add([]byte{})
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = rewrite(raw, func(_ string, _ int, data []byte) ([]byte, error) { return data, nil })
	})
}
