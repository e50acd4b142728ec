package explain

import (
	"context"
	"errors"
	"slices"
	"testing"

	"vitrine/inference"
)

// words is an engine that shows its vocabulary.
type words interface {
	Engine
	Vocabulary
}

// counted counts the examples that an engine runs.
type counted struct {
	words
	forwards, gradients int
}

func (c *counted) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	if len(spec.Wrt) > 0 {
		c.gradients += len(batch)
	} else {
		c.forwards += len(batch)
	}
	return c.words.Run(ctx, batch, spec)
}

// TestEach: explanations made together have the bits that each has alone, in any order, and cost less.
func TestEach(t *testing.T) {
	text, _ := shipped(t, "sentiment-minilm")
	image, _ := shipped(t, "digits-resnet")
	for _, c := range []struct {
		m    words
		in   inference.Input
		most float64 // share of the single runs that the shared ones may take
	}{{text, inference.Input{Text: "Slow, but the ending is a joy."}, 0.5}, {image, digit(t), 0.9}} {
		var asks []Ask
		for _, m := range Suited(c.m.Info()) {
			asks = append(asks, Ask{m.ID, quick(m)})
		}
		alone, together := &counted{words: c.m}, &counted{words: c.m}
		want := map[string]string{}
		for _, a := range asks {
			want[a.Method] = bits(t, mustExplain(t, Request{Model: alone, Input: c.in, Method: a.Method, Params: a.Params, Draws: 3, Seed: 5}))
		}
		run := func() {
			for i, got := range Each(context.Background(), Request{Model: together, Input: c.in, Draws: 3, Seed: 5}, asks) {
				if got.Err != nil {
					t.Errorf("%s: %v", asks[i].Method, got.Err)
				} else if bits(t, got.Explanation) != want[asks[i].Method] {
					t.Errorf("%s on %s: other bits beside others", asks[i].Method, c.m.Info().Name)
				}
			}
		}
		run()
		single, both := float64(alone.forwards+3*alone.gradients), float64(together.forwards+3*together.gradients)
		if both > c.most*single {
			t.Errorf("%s: %v of %v runs", c.m.Info().Name, both, single)
		}
		t.Logf("%s: alone %d forwards and %d gradients, together %d and %d", c.m.Info().Name, alone.forwards, alone.gradients, together.forwards, together.gradients)
		if c.in.Image == nil {
			slices.Reverse(asks)
			run()
		}
	}
}

// TestSharedTrace: attention, rollout, Chefer's relevance, the plain gradients and every layer's take one forward and one reverse
// pass of the input between them; the layers want the baseline's gradient too.
func TestSharedTrace(t *testing.T) {
	engine := &counted{words: toyText()}
	var asks []Ask
	for _, id := range []string{"attention", "attention-rollout", "chefer", "saliency", "input-x-gradient", "layer-gradient-x-activation"} {
		asks = append(asks, Ask{Method: id})
	}
	for i, a := range Each(context.Background(), Request{Model: engine, Input: toyInputs["text"], Draws: -1}, asks) {
		if a.Err != nil {
			t.Fatalf("%s: %v", asks[i].Method, a.Err)
		}
	}
	if engine.gradients != 2 || engine.forwards != 2 { // the answer, and the baseline
		t.Errorf("%d gradients and %d forwards", engine.gradients, engine.forwards)
	}
}

func TestEachStops(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	got := Each(ctx, Request{Model: toyText(), Input: toyInputs["text"]}, []Ask{{Method: "saliency"}, {Method: "tea-leaves"}})
	if !errors.Is(got[0].Err, context.Canceled) || !errors.Is(got[1].Err, context.Canceled) {
		t.Errorf("%v", got)
	}
	got = Each(context.Background(), Request{Model: toyText(), Input: toyInputs["text"], Draws: -1}, []Ask{{Method: "saliency"}, {Method: "tea-leaves"}})
	if got[0].Err != nil || !errors.Is(got[1].Err, ErrUnknownMethod) {
		t.Errorf("%v", got)
	}
}
