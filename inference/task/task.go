// Package task turns a network's outputs into answers; one file a task.
package task

import (
	"fmt"
	"sort"

	"vitrine/inference/kernel"
)

// LabelScore is one class of a classification.
type LabelScore struct {
	Label string  `json:"label"`
	Index int     `json:"index"`
	Score float64 `json:"score"`
	Logit float64 `json:"logit"`
}

// Entity is one span of a text; Start and End count characters, Index is the first token.
type Entity struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
	Text  string  `json:"text"`
	Start int     `json:"start"`
	End   int     `json:"end"`
	Index int     `json:"index"`
}

// Token is one position of a window; Start and End count characters of its text.
type Token struct {
	ID            int32
	Start, End    int
	Special, Pair bool
	Index         int // number among all non-special tokens of the input
}

// Window is the output for one part of the input.
type Window struct {
	Output []float32
	Shape  []int
	Tokens []Token
}

// Context is what a task works on.
type Context struct {
	Labels     []string
	MultiLabel bool
	Text       string
	Pair       *string
	Windows    []Window
	Mask       int32              // id of the mask token, -1 for none
	Word       func(int32) string // text of an id
}

// Answer is what a task gives; fields that it does not know stay empty.
type Answer struct {
	Labels   []LabelScore
	Entities []Entity
	Vector   []float32
	Span     *Entity
}

// Task is one kind of question that a network answers.
type Task struct {
	Name     string // as the hub names it
	Modality string // "text" or "image"
	Finish   func(*Context) (*Answer, error)
	Writes   bool // models of this task write texts; Finish ranks their next word
}

var registry = map[string]Task{}

func register(t Task) {
	if t.Name == "" || t.Modality == "" || t.Finish == nil || registry[t.Name].Finish != nil {
		panic("task: incomplete or registered twice: " + t.Name)
	}
	registry[t.Name] = t
}

// Lookup finds a task by name.
func Lookup(name string) (Task, bool) {
	t, ok := registry[name]
	return t, ok
}

// All lists the tasks by name.
func All() []Task {
	out := make([]Task, 0, len(registry))
	for _, t := range registry {
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// real counts a window's own tokens, at least one.
func (w *Window) real() int {
	n := 0
	for _, t := range w.Tokens {
		if !t.Special {
			n++
		}
	}
	return max(n, 1)
}

// meanOutput is the mean of the windows' outputs weighted by their tokens; one window's output is returned as it is.
func (c *Context) meanOutput() ([]float32, error) {
	first := c.Windows[0].Output
	if len(c.Windows) == 1 {
		return first, nil
	}
	sum := make([]float64, len(first))
	total := 0
	for i := range c.Windows {
		w := &c.Windows[i]
		if len(w.Output) != len(first) {
			return nil, fmt.Errorf("task: windows give %d and %d values", len(first), len(w.Output))
		}
		n := w.real()
		total += n
		for j, v := range w.Output {
			sum[j] += float64(float64(v) * float64(n)) // two roundings on every processor
		}
	}
	out := make([]float32, len(first))
	for j := range out {
		out[j] = float32(sum[j] / float64(total))
	}
	return out, nil
}

// scores turns logits into probabilities with the engine's own exp, so that they are the same bits everywhere.
func scores(logits []float32, independent bool) []float32 {
	p := make([]float32, len(logits))
	if independent {
		kernel.Sigmoid(p, logits)
	} else {
		kernel.Softmax(1, 1, len(logits), p, logits, 1)
	}
	return p
}

// rank pairs labels with scores, best first; equal scores keep the order of the classes.
func rank(labels []string, logits []float32, independent bool) ([]LabelScore, error) {
	if len(labels) != len(logits) {
		return nil, fmt.Errorf("task: %d labels for %d classes", len(labels), len(logits))
	}
	p := scores(logits, independent)
	out := make([]LabelScore, len(labels))
	for i := range out {
		out[i] = LabelScore{Label: labels[i], Index: i, Score: float64(p[i]), Logit: float64(logits[i])}
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Score != out[j].Score {
			return out[i].Score > out[j].Score
		}
		return out[i].Logit > out[j].Logit
	})
	return out, nil
}
