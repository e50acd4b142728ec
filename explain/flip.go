package explain

import (
	"context"
	"fmt"

	"vitrine/inference"
)

// Flip is a change of the input that was tried, and what the model then answered. It names positions and never repeats
// what stood there.
type Flip struct {
	Positions []int    `json:"positions"`       // tokens that are changed or removed
	Words     []string `json:"words,omitempty"` // what is written instead, one per position; none: removed
	Output    float64  `json:"output"`          // the explained scalar after the change
	Index     int      `json:"index"`           // the class that the model then answers
	Label     string   `json:"label"`
	Flipped   bool     `json:"flipped"` // another class than before
}

// Vocabulary is what word exchanges need beside Engine; *inference.Model has it.
type Vocabulary interface {
	Word(id int32) (string, bool)
	WordEmbeddings() (inference.Tensor, bool)
}

// vocabulary finds the engine's vocabulary behind the meter.
func vocabulary(e Engine) (Vocabulary, bool) {
	if m, ok := e.(*meter); ok {
		e = m.Engine
	}
	v, ok := e.(Vocabulary)
	return v, ok
}

// classifies is the condition of methods that look for another answer.
func classifies(info inference.Info) error {
	if info.Modality != "text" || info.Task != "text-classification" && info.Task != "token-classification" || len(info.Labels) < 2 {
		return fmt.Errorf("explain: %s gives no choice between classes that a change could turn: %w", info.Name, ErrUnsuitable)
	}
	return nil
}

// answer is the class of a result: the best of all, at the explained token where the task has one answer a token.
func (p *Problem) answer(r inference.Result) int {
	out := r.Output.Data
	if len(r.Output.Shape) == 2 && len(p.Target.Index) == 2 {
		n := r.Output.Shape[1]
		out = out[p.Target.Index[0]*n : (p.Target.Index[0]+1)*n]
	}
	best := 0
	for i, v := range out {
		if v > out[best] {
			best = i
		}
	}
	return best
}

// try runs changed inputs and says what each answers; flips holds what was changed.
func (p *Problem) try(ctx context.Context, batch []inference.Example, flips []Flip, before int) ([]Flip, error) {
	for first := 0; first < len(batch); first += p.chunk() {
		out, err := p.run(ctx, batch[first:min(first+p.chunk(), len(batch))], nil, nil)
		if err != nil {
			return nil, err
		}
		for i, r := range out {
			f := &flips[first+i]
			f.Output, f.Index = r.Value, p.answer(r)
			f.Label, f.Flipped = label(p.Info, f.Index), f.Index != before
		}
	}
	return flips, nil
}

// content lists the positions of tokens that are not special, less the one whose label is explained.
func (p *Problem) content() []int {
	var out []int
	for t, tok := range p.Tokens {
		if !tok.Special && !(p.Info.Task == "token-classification" && len(p.Target.Index) == 2 && p.Target.Index[0] == t) {
			out = append(out, t)
		}
	}
	return out
}

// both runs the input and the baseline and gives their values and the answer to the input.
func (p *Problem) both(ctx context.Context) (fx, fb float64, answer int, err error) {
	out, err := p.run(ctx, []inference.Example{p.Example, p.baselineExample()}, nil, nil)
	if err != nil {
		return 0, 0, 0, err
	}
	return out[0].Value, out[1].Value, p.answer(out[0]), nil
}
