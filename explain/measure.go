package explain

import (
	"context"
	"slices"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// Metrics lists the registered faithfulness figures, sorted by id.
func Metrics() []metric.Metric { return metric.Metrics() }

// draws is the size of the random control; 0 where the request wants no figures that run the model.
func (j *job) draws() int {
	switch {
	case j.r.Draws == 0:
		return DefaultDraws
	case j.r.Draws < 0:
		return 0
	}
	return min(j.r.Draws, 1000)
}

// measure computes every registered figure. Figures that remove units are taken on the window that matters most:
// the one with the largest share in F(x) - F(b).
func (j *job) measure(ctx context.Context, e *Explanation) error {
	s := &metric.Subject{Complete: j.method.Complete, Output: e.Output, BaselineOutput: e.BaselineOutput, Seed: j.r.Seed, Draws: j.draws()}
	w := j.leading()
	if j.info.Modality == "image" {
		s.All = widen(e.Map.Data)
		j.imageUnits(s, e, w)
	} else {
		s.All = e.Attributions
		textUnits(s, j.info, w)
	}
	if j.same() { // adding up to nothing is no achievement
		s.All = nil
	}
	s.Signed, s.Again, s.Once = j.method.Signed, j.again(w), w.found.Values
	j.others(s)
	if j.r.Draws < 0 {
		s.Value, s.Scalar, s.Again = nil, nil, nil
	}
	for _, m := range metric.Metrics() {
		figures, err := m.Compute(ctx, s)
		if err != nil {
			return err
		}
		e.Metrics = append(e.Metrics, figures...)
	}
	return nil
}

// others gives the figure of agreement the values of earlier explanations of the same input, unit by unit.
func (j *job) others(s *metric.Subject) {
	for _, e := range j.r.Others {
		if e == nil || e.Method == j.method.ID || j.info.Modality != "image" && len(e.Attributions) != len(j.tokens) {
			continue
		}
		if scores := Units(e); len(scores) == len(s.Scores) {
			s.Others = append(s.Others, scores)
		}
	}
}

// Units are the values that methods are compared by: one per token that is no special token, or of a map the sum over each
// square patch of the picture.
func Units(e *Explanation) []float64 {
	if e.Map != nil {
		if e.ImageHeight*e.ImageWidth == 0 {
			return nil
		}
		return patchScores(Upsample(*e.Map, e.ImageHeight, e.ImageWidth))
	}
	var scores []float64
	for t, tok := range e.Tokens {
		if !tok.Special && t < len(e.Attributions) {
			scores = append(scores, e.Attributions[t])
		}
	}
	return scores
}

// leading is the window with the largest weighted effect.
func (j *job) leading() *window {
	var best *window
	size := -1.0
	for i := range j.windows {
		w := &j.windows[i]
		if w.found == nil {
			continue
		}
		effect := w.weight * (w.found.Output - w.found.BaselineOutput)
		if effect < 0 {
			effect = -effect
		}
		if effect > size {
			best, size = w, effect
		}
	}
	return best
}

// probability is the problem whose value is the class probability: figures are drops of probability, as ERASER
// defines them, whatever scalar the attribution explains. An embedding has no classes: its value is taken as it is.
func (p *Problem) probability() *Problem {
	q := *p
	q.Target = inference.Target{Index: p.Target.Index, Quantity: "prob"}
	q.Targets, q.Mean = nil, true
	for _, t := range p.Targets {
		q.Targets = append(q.Targets, inference.Target{Index: t.Index, Quantity: "prob"})
	}
	if p.Info.Task == "feature-extraction" {
		q.Target.Quantity = "logit"
	}
	return &q
}

// textUnits makes the non-special tokens of the window the units; ids are changed in place or deleted, never
// re-tokenised.
func textUnits(s *metric.Subject, info inference.Info, w *window) {
	var units []int
	for t, tok := range w.in.Tokens {
		if !tok.Special && w.removable(t) {
			units = append(units, t)
			s.Scores = append(s.Scores, w.found.Values[t])
		}
	}
	switch {
	case info.SpecialIDs.Mask >= 0:
		s.Modes = append(s.Modes, "mask")
	case info.SpecialIDs.Pad >= 0:
		s.Modes = append(s.Modes, "pad")
	}
	if info.Task != "token-classification" && (!inference.WritesTexts(info.Task) || len(s.Modes) == 0) { // deleting would move the explained position
		s.Modes = append(s.Modes, "delete")
	}
	s.Value = RemoveTokens(w.problem.probability(), units)
	places := make([][]int, len(units))
	for u, t := range units {
		places[u] = []int{t}
	}
	s.Scalar = w.problem.scalar(places)
}

// removable says whether a token can be taken away without moving what is explained: not what a decoder beside an encoder has
// written, and of several words' context only the prompt.
func (w *window) removable(t int) bool {
	return t < len(w.in.Example.IDs) && (w.problem.Targets == nil || !w.in.Tokens[t].Pair)
}

// RemoveTokens gives the function that a figure calls: the value of p with units removed, where unit u is the token
// at position units[u]. Mode "delete" closes up, "mask" and "pad" write the special id in place; the removed set
// may hold every unit.
func RemoveTokens(p *Problem, units []int) func(context.Context, string, [][]int) ([]float64, error) {
	return func(ctx context.Context, mode string, gone [][]int) ([]float64, error) {
		batch := make([]inference.Example, len(gone))
		for i, set := range gone {
			batch[i] = removeTokens(p, units, mode, set)
		}
		return p.values(ctx, batch)
	}
}

func removeTokens(p *Problem, units []int, mode string, set []int) inference.Example {
	ids, types := slices.Clone(p.Example.IDs), slices.Clone(p.Example.Types)
	if mode != "delete" {
		id := p.Info.SpecialIDs.Mask
		if mode == "pad" {
			id = p.Info.SpecialIDs.Pad
		}
		for _, u := range set {
			ids[units[u]] = id
		}
		return inference.Example{IDs: ids, Types: types, Decoder: p.Example.Decoder}
	}
	drop := make([]bool, len(ids))
	for _, u := range set {
		drop[units[u]] = true
	}
	n := 0
	for t := range ids {
		if drop[t] {
			continue
		}
		ids[n] = ids[t]
		if types != nil {
			types[n] = types[t]
		}
		n++
	}
	if n == 0 { // no special tokens and nothing left: the model needs a position
		n = 1
	}
	if types != nil {
		types = types[:n]
	}
	return inference.Example{IDs: ids[:n], Types: types, Decoder: p.Example.Decoder}
}

// patchGrid is the number of patches along the shorter side of a picture that figures remove.
const patchGrid = 14

// imageUnits makes square patches the units; a patch is removed by putting the baseline in its place. Its score is
// the sum of the map over its pixels; a smaller map (grad-cam) is read at the patch's centre after upsampling.
func (j *job) imageUnits(s *metric.Subject, e *Explanation, w *window) {
	p := w.problem.probability()
	height, width := e.ImageHeight, e.ImageWidth
	patches := patchList(height, width)
	s.Scores = patchScores(Upsample(*e.Map, height, width))
	s.Modes, s.Curve = []string{"baseline"}, true
	s.Value = RemovePatches(p, patches)
	s.Scalar = w.problem.scalar(patches)
}

// patchList cuts a picture into the square patches that figures remove.
func patchList(height, width int) [][]int {
	size := max(1, min(height, width)/patchGrid)
	var patches [][]int
	for top := 0; top < height; top += size {
		for left := 0; left < width; left += size {
			patches = append(patches, cover(top, size, height, left, size, width))
		}
	}
	return patches
}

// patchScores sums a map of the picture's size over each patch.
func patchScores(m inference.Tensor) []float64 {
	var scores []float64
	for _, patch := range patchList(m.Shape[0], m.Shape[1]) {
		score := 0.0
		for _, u := range patch {
			score += float64(m.Data[u])
		}
		scores = append(scores, score)
	}
	return scores
}
