package explain

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"vitrine/inference"
)

// window is one window of the input on its way through an explanation.
type window struct {
	in       inference.Window
	position []int // per token: index in the merged list of tokens
	weight   float64
	logits   []float32 // the output as it is, of the shape beside it
	shape    []int
	problem  *Problem
	found    *Attribution
}

// job carries one request from input to explanation.
type job struct {
	r       Request
	engine  *meter
	info    inference.Info
	method  Method
	params  map[string]any
	tokens  []inference.Token // merged over windows
	windows []window
	choice  choice
	unknown float64
}

func explain(ctx context.Context, r Request) (*Explanation, error) {
	start := time.Now()
	j, err := prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := j.target(ctx); err != nil {
		return nil, err
	}
	if err := j.attribute(ctx); err != nil {
		return nil, err
	}
	e, err := j.assemble()
	if err != nil {
		return nil, err
	}
	if err := j.measure(ctx, e); err != nil {
		return nil, err
	}
	j.warn(e)
	e.Gradients, e.Forwards = int(j.engine.gradients.Load()), int(j.engine.forwards.Load())
	e.Seconds = time.Since(start).Seconds()
	return e, nil
}

// prepare checks everything that can be checked before the model runs, and encodes the input.
func prepare(ctx context.Context, r Request) (*job, error) {
	if r.Model == nil {
		return nil, fmt.Errorf("explain: no model: %w", ErrUnsuitable)
	}
	m, ok := Lookup(r.Method)
	if !ok {
		return nil, fmt.Errorf("explain: %q is not a method of this program: %w", clip(r.Method), ErrUnknownMethod)
	}
	params, err := m.Resolve(writtenParams(r))
	if err != nil {
		return nil, err
	}
	j := &job{r: r, engine: newMeter(r.Model), method: m, params: params}
	j.info = j.engine.info
	if err := m.suits(j.info); err != nil {
		return nil, err
	}
	if inference.WritesTexts(j.info.Task) || r.Continuation != nil {
		return j, j.prepareContinuation()
	}
	encoded, err := r.Model.Encode(ctx, r.Input)
	if err != nil {
		return nil, err
	}
	if len(encoded.Windows) == 0 {
		return nil, fmt.Errorf("explain: the input holds nothing to explain: %w", inference.ErrInput)
	}
	j.unknown = encoded.Unknown
	j.merge(encoded.Windows)
	return j, nil
}

// target runs every window once and fixes the class.
func (j *job) target(ctx context.Context) error {
	batch := make([]inference.Example, len(j.windows))
	for i, w := range j.windows {
		batch[i] = w.in.Example
	}
	var out []inference.Result
	for chunk := range slices.Chunk(batch, 64) {
		part, err := j.engine.Run(ctx, chunk, inference.RunSpec{Threads: j.r.Threads})
		if err != nil {
			return err
		}
		out = append(out, part...)
	}
	var err error
	for i := range j.windows {
		j.windows[i].logits, j.windows[i].shape = out[i].Output.Data, out[i].Output.Shape
		for _, v := range out[i].Output.Data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("explain: the model's output is %v, which cannot be explained: %w", v, ErrNumber)
			}
		}
	}
	if j.r.Continuation != nil {
		return j.chooseWord()
	}
	j.choice, err = chooseTarget(j.info, j.windows, j.r.Target, j.params)
	if err != nil {
		return err
	}
	if k := j.choice.window; k >= 0 { // one token is explained: only its window counts
		for i := range j.windows {
			j.windows[i].weight = 0
		}
		j.windows[k].weight = 1
	}
	return nil
}

// attribute runs the method on every window that counts.
func (j *job) attribute(ctx context.Context) error {
	if j.r.Continuation != nil {
		return j.attributeWords(ctx)
	}
	for i := range j.windows {
		w := &j.windows[i]
		if w.weight == 0 {
			continue
		}
		p := &Problem{Engine: j.engine, Info: j.info, Example: w.in.Example, Tokens: w.in.Tokens, Target: j.choice.target,
			Params: maps.Clone(j.params), Threads: j.r.Threads, Seed: j.r.Seed}
		var err error
		if p.Baseline, err = chooseBaseline(j.info, w.in, paramString(j.params, "baseline")); err != nil {
			return err
		}
		if !p.image() && p.Baseline.IDs == nil {
			if p.Baseline.Embeddings, err = j.zeroBaseline(ctx, w.in); err != nil {
				return err
			}
		}
		p.Params["baseline"] = p.Baseline.Name
		w.problem = p
		if w.found, err = Attribute(ctx, j.method.ID, p); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) zeroBaseline(ctx context.Context, w inference.Window) ([]float32, error) {
	tap := j.info.Taps.Embeddings
	out, err := j.engine.Run(ctx, []inference.Example{w.Example}, inference.RunSpec{Taps: []string{tap}, Threads: j.r.Threads})
	if err != nil {
		return nil, err
	}
	return zeroEmbeddings(w, out[0].Taps[tap].Data), nil
}

// Attribute runs a method on a prepared problem. The parameters of p must be resolved (Method.Resolve); a method
// may write the values it chose itself into them. Errors as for Explain.
func Attribute(ctx context.Context, method string, p *Problem) (*Attribution, error) {
	m, ok := Lookup(method)
	if !ok {
		return nil, fmt.Errorf("explain: %q is not a method of this program: %w", clip(method), ErrUnknownMethod)
	}
	a, err := m.run(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, v := range slices.Concat(a.Values, a.Grid.all()) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("explain: %s gave %v, which is no attribution: %w", method, v, ErrNumber)
		}
	}
	return a, nil
}

// assemble joins the windows into one explanation.
func (j *job) assemble() (*Explanation, error) {
	e := &Explanation{
		Method: j.method.ID, Version: j.method.Version, Signed: j.method.Signed, Target: j.choice.shown,
		Tokens: j.tokens, Info: j.info, Seed: j.r.Seed, Draws: j.draws(),
	}
	first := true
	for _, w := range j.windows {
		if w.found == nil {
			continue
		}
		e.Output += float64(w.weight * w.found.Output)
		e.BaselineOutput += float64(w.weight * w.found.BaselineOutput)
		e.Warnings = appendNew(e.Warnings, w.found.Warnings...)
		if first {
			first = false
			e.Params, e.Baseline, e.BaselineIDs = w.problem.Params, w.problem.Baseline.Name, w.problem.Baseline.IDs
			e.Layer, e.Attention, e.Grid, e.Flips = w.found.Layer, w.found.Attention, w.found.Grid, w.found.Flips
		}
	}
	if j.info.Modality == "image" {
		a := j.windows[0].found
		data := make([]float32, len(a.Values))
		for i, v := range a.Values {
			data[i] = float32(v)
		}
		e.Map = &inference.Tensor{Shape: a.Shape, Data: data}
		shape := j.windows[0].in.Example.Shape
		e.ImageHeight, e.ImageWidth = shape[1], shape[2]
		e.Delta = a.Delta()
		return e, nil
	}
	j.assembleText(e)
	return e, nil
}

// assembleText adds the windows' attributions with their weights: the answer is the weighted mean of the windows'
// logits, and attributions are linear in it, so the sum stays complete.
func (j *job) assembleText(e *Explanation) {
	e.Attributions = make([]float64, len(j.tokens))
	for _, w := range j.windows {
		if w.found == nil {
			continue
		}
		for t, v := range w.found.Values {
			e.Attributions[w.position[t]] += float64(w.weight * v)
		}
		if w.found.Companion != nil {
			if e.Companion == nil {
				e.Companion = &Companion{Method: "chefer", Attributions: make([]float64, len(j.tokens))}
			}
			for t, v := range w.found.Companion {
				e.Companion.Attributions[w.position[t]] += float64(w.weight * v)
			}
		}
		if len(j.windows) > 1 {
			e.Windows = append(e.Windows, w.describe(j.pairWindowed()))
		}
	}
	if j.r.Continuation != nil { // a method that is not joint has no values of what was written
		n := len(j.windows[0].found.Values)
		e.Tokens, e.Attributions = e.Tokens[:n], e.Attributions[:n]
	}
	e.Delta = sum(e.Attributions) - (e.Output - e.BaselineOutput)
}

// describe places the window in the text that was windowed: the second one if pair is set.
func (w *window) describe(pair bool) Window {
	out := Window{Weight: w.weight, Output: w.found.Output, BaselineOutput: w.found.BaselineOutput,
		Delta: w.found.Delta(), Attributions: w.found.Values, Pair: pair}
	for t, tok := range w.in.Tokens {
		if tok.Special {
			continue
		}
		if out.Count++; tok.Pair != pair {
			continue
		}
		if out.End == 0 {
			out.Start, out.First = tok.Start, w.position[t]
		}
		out.End = max(out.End, tok.End)
	}
	return out
}

// pairWindowed says whether the windows cut the second text: it then does not end alike in the first two.
func (j *job) pairWindowed() bool {
	end := func(w window) (end int) {
		for _, t := range w.in.Tokens {
			if t.Pair && !t.Special {
				end = max(end, t.End)
			}
		}
		return end
	}
	return end(j.windows[0]) != end(j.windows[1])
}

func appendNew(list []string, more ...string) []string {
	for _, s := range more {
		seen := false
		for _, have := range list {
			seen = seen || have == s
		}
		if !seen {
			list = append(list, s)
		}
	}
	return list
}
