package task

import (
	"errors"
	"fmt"
	"sort"
)

// ErrNoMask: the text has no mask token.
var ErrNoMask = errors.New("the text has no mask token to fill")

// fillMaskTop is the number of candidates returned, as the reference pipeline does.
const fillMaskTop = 5

// fill-mask ranks what could stand at the first mask token.
func init() { register(Task{Name: "fill-mask", Modality: "text", Finish: fillMask}) }

func fillMask(c *Context) (*Answer, error) {
	for _, w := range c.Windows {
		for i, t := range w.Tokens {
			if t.ID != c.Mask || t.Special {
				continue
			}
			v := w.Shape[1]
			logits := w.Output[i*v : (i+1)*v]
			return &Answer{Labels: topWords(c, logits)}, nil
		}
	}
	return nil, fmt.Errorf("task: %w: write %s where a word is to be found", ErrNoMask, c.Word(c.Mask))
}

// topWords ranks the words of a vocabulary, best first; equal ones keep the order of their ids.
func topWords(c *Context, logits []float32) []LabelScore {
	p := scores(logits, false)
	order := make([]int, len(logits))
	for j := range order {
		order[j] = j
	}
	sort.SliceStable(order, func(a, b int) bool { return logits[order[a]] > logits[order[b]] })
	var out []LabelScore
	for _, j := range order[:min(fillMaskTop, len(order))] {
		out = append(out, LabelScore{Label: c.Word(int32(j)), Index: j, Score: float64(p[j]), Logit: float64(logits[j])})
	}
	return out
}
