package task

import (
	"errors"
	"math"
	"testing"
)

// TestEveryTask loops over the registry: each has a modality, and refuses or answers a smallest input without a panic.
func TestEveryTask(t *testing.T) {
	for _, task := range All() {
		if task.Modality != "text" && task.Modality != "image" {
			t.Errorf("%s has the modality %q", task.Name, task.Modality)
		}
		shapes := map[string][]int{"token-classification": {3, 2}, "fill-mask": {3, 2}, "question-answering": {2, 3}}
		shape, ok := shapes[task.Name]
		if !ok {
			shape = []int{2}
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		pair := "b"
		c := &Context{Labels: []string{"O", "B-X"}, Text: "a", Pair: &pair, Mask: 4, Word: func(int32) string { return "w" },
			Windows: []Window{{Output: make([]float32, n), Shape: shape, Tokens: []Token{{ID: 1, Special: true}, {ID: 4, End: 1, Pair: true}, {ID: 2, Special: true}}}}}
		if _, err := task.Finish(c); err != nil {
			t.Errorf("%s: %v", task.Name, err)
		}
	}
}

func TestClassify(t *testing.T) {
	c := &Context{Labels: []string{"a", "b"}, Windows: []Window{{Output: []float32{0, 1}}}}
	a, err := classify(c)
	if err != nil || a.Labels[0].Label != "b" || math.Abs(a.Labels[0].Score-0.7310585786) > 1e-6 {
		t.Errorf("%+v, %v", a, err)
	}
	c.MultiLabel = true
	a, err = classify(c)
	if err != nil || math.Abs(a.Labels[1].Score-0.5) > 1e-7 {
		t.Errorf("independent classes: %+v, %v", a, err)
	}
	// Two windows with 3 and 1 own tokens: (3·(0,1) + 1·(4,1))/4 = (1,1).
	tokens := func(n int) []Token { return make([]Token, n) }
	c.Windows = []Window{{Output: []float32{0, 1}, Tokens: tokens(3)}, {Output: []float32{4, 1}, Tokens: tokens(1)}}
	a, err = classify(c)
	if err != nil || a.Labels[0].Logit != 1 || a.Labels[1].Logit != 1 || a.Labels[0].Label != "a" {
		t.Errorf("windows: %+v, %v", a, err)
	}
	if _, err := classify(&Context{Labels: []string{"a"}, Windows: []Window{{Output: []float32{1, 2}}}}); err == nil {
		t.Error("labels and classes may differ")
	}
}

// tags makes logits that choose the classes given.
func tags(classes ...int) []float32 {
	out := make([]float32, 4*len(classes))
	for i, c := range classes {
		out[4*i+c] = 5
	}
	return out
}

func TestEntities(t *testing.T) {
	labels := []string{"O", "B-PER", "I-PER", "B-ORG"}
	text := "Zoë Ng of Acme"
	word := []Token{{Special: true}, {Start: 0, End: 3, Index: 0}, {Start: 4, End: 6, Index: 1}, {Start: 7, End: 9, Index: 2}, {Start: 10, End: 14, Index: 3}, {Special: true}}
	c := &Context{Labels: labels, Text: text, Windows: []Window{{Output: tags(0, 1, 2, 0, 3, 0), Shape: []int{6, 4}, Tokens: word}}}
	a, err := findEntities(c)
	if err != nil || len(a.Entities) != 2 || a.Entities[0].Text != "Zoë Ng" || a.Entities[0].Label != "PER" || a.Entities[1].Text != "Acme" || a.Entities[1].Start != 10 {
		t.Errorf("%+v, %v", a, err)
	}
	// A B- right behind an entity of the same kind starts a new one.
	c.Windows[0].Output = tags(0, 1, 1, 0, 0, 0)
	if a, _ := findEntities(c); len(a.Entities) != 2 || a.Entities[1].Text != "Ng" {
		t.Errorf("%+v", a)
	}
	// Of two windows, the one with more room around a token decides about it.
	c.Windows = []Window{
		{Output: tags(0, 1, 0), Shape: []int{3, 4}, Tokens: word[:3]},
		{Output: tags(0, 1, 2, 0), Shape: []int{4, 4}, Tokens: word[:4]},
	}
	if a, _ := findEntities(c); len(a.Entities) != 1 || a.Entities[0].Text != "Zoë Ng" {
		t.Errorf("%+v", a)
	}
}

func TestAnswer(t *testing.T) {
	pair := "in Łódź today"
	c := &Context{Pair: &pair, Windows: []Window{{Shape: []int{2, 5},
		Tokens: []Token{{Special: true}, {End: 5}, {Start: 0, End: 2, Pair: true}, {Start: 3, End: 7, Pair: true}, {Start: 8, End: 13, Pair: true}},
		Output: []float32{9, 9, 0, 3, 0, 9, 9, 0, 3, 1}}}}
	a, err := answer(c)
	if err != nil || a.Span.Text != "Łódź" || a.Span.Index != 3 {
		t.Errorf("%+v, %v", a, err)
	}
	c.Pair = nil
	if _, err := answer(c); !errors.Is(err, ErrNoContext) {
		t.Error(err)
	}
}

func TestFillMaskWithoutMask(t *testing.T) {
	c := &Context{Mask: 4, Word: func(int32) string { return "[MASK]" }, Windows: []Window{{Output: make([]float32, 2), Shape: []int{1, 2}, Tokens: []Token{{ID: 1}}}}}
	if _, err := fillMask(c); !errors.Is(err, ErrNoMask) {
		t.Error(err)
	}
}
