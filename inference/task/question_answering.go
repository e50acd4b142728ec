package task

import (
	"errors"
	"fmt"
)

// ErrNoContext: the question has no text to look for the answer in.
var ErrNoContext = errors.New("question answering needs a second text, the context")

// maxAnswer bounds the answer in tokens, as the reference pipeline does.
const maxAnswer = 15

// question-answering finds the span of the context (the second text) with the largest start plus end logit; the score
// is the product of the two probabilities.
func init() { register(Task{Name: "question-answering", Modality: "text", Finish: answer}) }

func answer(c *Context) (*Answer, error) {
	if c.Pair == nil {
		return nil, fmt.Errorf("task: %w", ErrNoContext)
	}
	var best Entity
	found := false
	var top float32
	for _, w := range c.Windows {
		t := len(w.Tokens)
		start, end := w.Output[:t], w.Output[t:]
		ps, pe := scores(start, false), scores(end, false)
		for i := range t {
			if w.Tokens[i].Special || !w.Tokens[i].Pair {
				continue
			}
			for j := i; j < min(t, i+maxAnswer) && !w.Tokens[j].Special && w.Tokens[j].Pair; j++ {
				if s := start[i] + end[j]; !found || s > top {
					found, top = true, s
					best = Entity{Label: "answer", Score: float64(float32(ps[i] * pe[j])), Start: w.Tokens[i].Start, End: w.Tokens[j].End, Index: i}
				}
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("task: %w: it holds nothing the model can read", ErrNoContext)
	}
	best.Text = characters(*c.Pair, best.Start, best.End)
	return &Answer{Span: &best}, nil
}
