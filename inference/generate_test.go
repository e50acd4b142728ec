package inference

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"vitrine/inference/family"
	"vitrine/inference/generate"
	"vitrine/inference/kernel"
)

// TestScoresAreTheRunsBits: the rows of a step over a cache give, to the bit, what the whole sequence gives, for every family that generates.
func TestScoresAreTheRunsBits(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		if _, ok := m.net.(family.Generator); !ok {
			return
		}
		e := m.example(rand.New(rand.NewPCG(21, 22)), 23)
		p, ids := generate.Prompt{IDs: e.IDs[:1]}, e.IDs
		if m.desc.MaxDecoder > 0 {
			p, ids = generate.Prompt{Source: e.IDs, IDs: e.Decoder[:1]}, e.Decoder
		}
		whole := mustRun(t, m, []Example{e}, RunSpec{})[0].Output
		v := whole.Shape[1]
		got, err := m.Score(context.Background(), p, ids[1:], 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, token := range got {
			logs := make([]float32, v)
			kernel.LogSoftmax(1, 1, v, logs, whole.Data[i*v:(i+1)*v])
			if want := float64(logs[ids[i+1]]); token.ID != ids[i+1] || math.Float64bits(token.LogProb) != math.Float64bits(want) {
				t.Errorf("position %d: %d %g, the run gives %d %g", i, token.ID, token.LogProb, ids[i+1], want)
			}
		}
	})
}

// TestTargetIsTheNextWord: a word alone, or none, means what comes next at the last position.
func TestTargetIsTheNextWord(t *testing.T) {
	for _, dir := range []string{"gpt2", "t5"} {
		m, err := Open("conformance/testdata/golden/family/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		e := m.example(rand.New(rand.NewPCG(31, 32)), 9)
		last := 8
		if e.Decoder != nil {
			last = len(e.Decoder) - 1
		}
		spec := func(index ...int) RunSpec {
			return RunSpec{Target: &Target{Index: index}, Wrt: []string{m.info.Taps.Embeddings}}
		}
		open := mustRun(t, m, []Example{e}, spec())[0]
		word := argmax(open.Output.Data[last*m.desc.Vocab:])
		for _, s := range []RunSpec{spec(word), spec(last, word)} {
			r := mustRun(t, m, []Example{e}, s)[0]
			if err := sameBits(r, open); err != nil || r.Value != open.Value || r.Value != float64(open.Output.Data[last*m.desc.Vocab+word]) {
				t.Errorf("%s: %v is %g, the next word's logit %g, %v", dir, s.Target.Index, r.Value, open.Value, err)
			}
		}
		// A difference between words at two positions, and several targets at several positions.
		a, b := open.Output.Data[word], open.Output.Data[last*m.desc.Vocab+5]
		apart := RunSpec{Target: &Target{Index: []int{last, 5}, Minus: []int{0, word}, Quantity: "diff"}, Wrt: []string{m.info.Taps.Embeddings}}
		if r := mustRun(t, m, []Example{e}, apart)[0]; r.Value != float64(b-a) {
			t.Errorf("%s: a difference between positions is %g, expected %g", dir, r.Value, b-a)
		}
		several := RunSpec{Targets: []Target{{Index: []int{0, 3}}, {Index: []int{last, word}}, {Index: []int{1, 0}}}, Wrt: apart.Wrt}
		r := mustRun(t, m, []Example{e}, several)[0]
		for i, target := range several.Targets {
			one := mustRun(t, m, []Example{e}, RunSpec{Target: &target, Wrt: apart.Wrt})[0]
			if err := sameTensor(one.Grads[apart.Wrt[0]], r.Each[i].Grads[apart.Wrt[0]]); err != nil || one.Value != r.Each[i].Value {
				t.Errorf("%s: target %d alone and among others: %v", dir, i, err)
			}
		}
	}
}

// TestContinueRefuses: what cannot be continued is an error of the input, and says what to do.
func TestContinueRefuses(t *testing.T) {
	m, err := Open("conformance/testdata/golden/family/gpt2")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, c := range map[string]struct {
		p generate.Prompt
		o generate.Options
	}{
		"empty":        {},
		"too long":     {p: generate.Prompt{IDs: make([]int32, 60)}, o: generate.Options{MaxNew: 5}},
		"full":         {p: generate.Prompt{IDs: make([]int32, 64)}},
		"unknown id":   {p: generate.Prompt{IDs: []int32{217}}},
		"negative id":  {p: generate.Prompt{IDs: []int32{-1}}},
		"hot":          {p: generate.Prompt{IDs: []int32{1}}, o: generate.Options{Temperature: math.NaN()}},
		"bad end":      {p: generate.Prompt{IDs: []int32{1}}, o: generate.Options{EOS: []int32{500}}},
		"beams drawn":  {p: generate.Prompt{IDs: []int32{1}}, o: generate.Options{Beams: 2, Temperature: 1}},
		"many returns": {p: generate.Prompt{IDs: []int32{1}}, o: generate.Options{Beams: 2, Return: 3}},
	} {
		if _, err := m.Continue(ctx, c.p, c.o, nil); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	encoder, err := Open("conformance/testdata/golden/family/bert-mlm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Continue(ctx, generate.Prompt{IDs: []int32{1}}, generate.Options{}, nil); !errors.Is(err, ErrInput) {
		t.Errorf("an encoder: %v", err)
	}
	if d := m.Defaults(); d.Start != 0 || len(d.EOS) != 1 || d.EOS[0] != 2 {
		t.Errorf("defaults %+v", d)
	}
}
