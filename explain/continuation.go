package explain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vitrine/inference"
)

// Continuation is what a generating model read and wrote. It is explained as it stands: nothing is tokenized again, each
// word is predicted from the words that were really written before it.
type Continuation struct {
	Prompt []inference.Token // what a decoder went on from, or what an encoder read
	Start  []inference.Token // of an encoder-decoder: what the decoder began with
	Answer []inference.Token // what was written, Start left out
}

// maxWords bounds the words that are explained together.
const maxWords = 512

// together is how many words a target means.
func (c *Continuation) together(target string) int {
	if c == nil || target != "" {
		return 1
	}
	return len(c.Answer)
}

// suitsWriting says why a method cannot explain what a model writes.
func (m Method) suitsWriting(info inference.Info) error {
	switch {
	case m.Family == "counterfactual":
		return fmt.Errorf("explain: %s looks for another class, %s writes texts: ask for a contrast with another word: %w", m.ID, info.Name, ErrUnsuitable)
	case len(info.Taps.CrossAttentions) > 0 && !m.joint && m.Family != "perturbation" && m.ID != "attention":
		return fmt.Errorf("explain: %s is defined for one stack of layers, %s has an encoder and a decoder: %w", m.ID, info.Name, ErrUnsuitable)
	}
	return nil
}

// writtenParams fills in what is explained of a written word unless the request says so: its log-probability, or beside
// another word the difference of the logits.
func writtenParams(r Request) map[string]any {
	if r.Continuation == nil || r.Params["quantity"] != nil {
		return r.Params
	}
	params := maps.Clone(r.Params)
	if params == nil {
		params = map[string]any{}
	}
	params["quantity"] = "logprob"
	if contrast, _ := params["contrast"].(string); contrast != "" {
		params["quantity"] = "diff"
	}
	return params
}

// prepareContinuation makes one window of what was read and written before the explained word, or the last one.
func (j *job) prepareContinuation() error {
	c := j.r.Continuation
	if c == nil {
		return fmt.Errorf("explain: %s writes texts: give what it read and wrote: %w", j.info.Name, ErrUnsuitable)
	}
	if !inference.WritesTexts(j.info.Task) {
		return fmt.Errorf("explain: %s writes no texts: give an input: %w", j.info.Name, ErrUnsuitable)
	}
	if len(c.Prompt) == 0 || len(c.Answer) == 0 {
		return fmt.Errorf("explain: nothing was read or nothing was written, so there is nothing to explain: %w", inference.ErrInput)
	}
	word, err := j.word()
	if err != nil {
		return err
	}
	if word < 0 {
		if j.method.Family == "internal" {
			return fmt.Errorf("explain: %s looks at one word: name its number as the target: %w", j.method.ID, ErrTarget)
		}
		if word = len(c.Answer) - 1; word >= maxWords {
			return fmt.Errorf("explain: %d words were written, up to %d are explained together: name one as the target: %w", word+1, maxWords, ErrTarget)
		}
	}
	w := inference.Window{Tokens: slices.Concat(c.Prompt, c.Start, c.Answer[:word])}
	for t := range w.Tokens {
		w.Tokens[t].Pair = t >= len(c.Prompt)
	}
	w.Example.IDs = idsOf(w.Tokens)
	if j.info.Taps.DecoderEmbeddings != "" {
		w.Example.IDs, w.Example.Decoder = idsOf(c.Prompt), idsOf(slices.Concat(c.Start, c.Answer[:word]))
	}
	j.merge([]inference.Window{w})
	if j.r.Draws == 0 {
		if j.r.Draws = wordDraws; float64(j.info.Parameters)*float64(len(w.Tokens)) > maxWordWork {
			j.r.Draws = -1
		}
	}
	return nil
}

// Language models are large: the figures of a written word have the smallest random control that can show p < 0.05, and above
// maxWordWork (parameters times tokens, of which every control takes ten runs) they are left out, which a warning says.
const (
	wordDraws   = 20
	maxWordWork = 1.5e10
)

func idsOf(tokens []inference.Token) []int32 {
	out := make([]int32, len(tokens))
	for i, t := range tokens {
		out[i] = t.ID
	}
	return out
}

// word is the number of the explained word, -1 for all.
func (j *job) word() (int, error) {
	if j.r.Target == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(j.r.Target)
	if err != nil || n < 0 || n >= len(j.r.Continuation.Answer) {
		return 0, fmt.Errorf("explain: target %q: %d words were written, name one from 0 to %d: %w",
			clip(j.r.Target), len(j.r.Continuation.Answer), len(j.r.Continuation.Answer)-1, ErrTarget)
	}
	return n, nil
}

// chooseWord settles what is explained: of one word, or of each, its id at the position that predicts it, counted from the end.
func (j *job) chooseWord() error {
	c, quantity := j.r.Continuation, paramString(j.params, "quantity")
	word, err := j.word()
	if err != nil {
		return err
	}
	minus, err := j.contrast(quantity)
	if err != nil {
		return err
	}
	j.choice = choice{window: -1, shown: ExplTarget{Index: word, Quantity: quantity, Words: len(c.Answer)}}
	j.choice.target.Quantity = quantity
	if word < 0 {
		if minus != nil {
			return fmt.Errorf("explain: parameter contrast: stands against one word: name its number as the target: %w", ErrParam)
		}
		return nil
	}
	id := int(c.Answer[word].ID)
	j.choice.shown.Label = c.Answer[word].Text
	j.choice.target.Index = []int{-1, id}
	if minus != nil {
		if *minus == id {
			return fmt.Errorf("explain: parameter contrast: it is the explained word itself: %w", ErrParam)
		}
		j.choice.shown.Minus, j.choice.target.Minus = minus, []int{-1, *minus}
	}
	return nil
}

// contrast finds the word that a written one is compared with: "#" and an id, or a word of the vocabulary as the tokenizer
// spells it.
func (j *job) contrast(quantity string) (*int, error) {
	want := paramString(j.params, "contrast")
	switch {
	case quantity == "diff" && want == "":
		return nil, fmt.Errorf("explain: parameter contrast: quantity diff needs the word to compare with: %w", ErrParam)
	case quantity != "diff" && want != "":
		return nil, fmt.Errorf("explain: parameter contrast: is used by quantity diff only: %w", ErrParam)
	case want == "":
		return nil, nil
	}
	shape := j.windows[0].shape
	size := shape[len(shape)-1]
	if number, ok := strings.CutPrefix(want, "#"); ok {
		if id, err := strconv.Atoi(number); err == nil && id >= 0 && id < size {
			return &id, nil
		}
	}
	if v, ok := j.r.Model.(interface{ Word(int32) (string, bool) }); ok {
		for id := range size {
			if s, ok := v.Word(int32(id)); ok && s == want {
				return &id, nil
			}
		}
	}
	return nil, fmt.Errorf("explain: parameter contrast: %q is no word of the vocabulary; give one, or # and an id from 0 to %d: %w", clip(want), size-1, ErrParam)
}

// attributeWords runs the method on the word, or on each word: then row r of the grid is what word r was written because of, and a
// token's value is the sum over the words.
func (j *job) attributeWords(ctx context.Context) error {
	w, c := &j.windows[0], j.r.Continuation
	p, err := j.writingProblem(ctx, w)
	if err != nil {
		return err
	}
	w.problem = p
	if j.choice.shown.Index >= 0 {
		p.Target = j.choice.target
		w.found, err = Attribute(ctx, j.method.ID, p)
		return err
	}
	for r, t := range c.Answer {
		p.Targets = append(p.Targets, inference.Target{Index: []int{r - len(c.Answer), int(t.ID)}, Quantity: j.choice.shown.Quantity})
	}
	rows, err := attributeEach(ctx, j.method.ID, p)
	if err != nil {
		return err
	}
	w.found = summed(rows)
	return nil
}

// writingProblem is the problem of the window, all but its target.
func (j *job) writingProblem(ctx context.Context, w *window) (*Problem, error) {
	read := len(w.in.Example.IDs)
	p := &Problem{Engine: j.engine, Info: j.info, Example: w.in.Example, Tokens: w.in.Tokens[:read], Params: maps.Clone(j.params),
		Threads: j.r.Threads, Seed: j.r.Seed, Joint: j.method.joint && w.in.Example.Decoder != nil}
	from := w.in
	from.Tokens = p.Tokens
	var err error
	if p.Baseline, err = chooseBaseline(j.info, from, paramString(j.params, "baseline")); err != nil {
		return nil, err
	}
	p.Params["baseline"] = p.Baseline.Name
	switch {
	case p.Baseline.IDs != nil && p.Joint:
		id := j.info.SpecialIDs.Pad
		if p.Baseline.Name == "mask" {
			id = j.info.SpecialIDs.Mask
		}
		p.Baseline.Decoder = replaced(inference.Window{Example: inference.Example{IDs: p.Example.Decoder}, Tokens: w.in.Tokens[read:]}, id)
	case p.Baseline.IDs == nil:
		out, err := j.engine.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Taps: p.inputs(), Threads: p.Threads})
		if err != nil {
			return nil, err
		}
		if p.Joint {
			from.Tokens = w.in.Tokens
		}
		p.Baseline.Embeddings = zeroEmbeddings(from, p.looked(out[0]))
	}
	return p, nil
}

// summed adds up the attributions of several words, which become the rows of a grid.
func summed(rows []*Attribution) *Attribution {
	all := *rows[0]
	all.Values, all.Output, all.BaselineOutput, all.Warnings = make([]float64, len(all.Values)), 0, 0, nil
	if all.Companion != nil {
		all.Companion = make([]float64, len(all.Companion))
	}
	all.Grid = &Grid{}
	for r, a := range rows {
		for t, v := range a.Values {
			all.Values[t] += v
		}
		for t, v := range a.Companion {
			all.Companion[t] += v
		}
		all.Output += a.Output
		all.BaselineOutput += a.BaselineOutput
		all.Warnings = appendNew(all.Warnings, a.Warnings...)
		all.Grid.Rows, all.Grid.Values = append(all.Grid.Rows, strconv.Itoa(r)), append(all.Grid.Values, a.Values)
	}
	return &all
}
