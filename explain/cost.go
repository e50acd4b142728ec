package explain

import (
	"context"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// Estimate says what an explanation would take, figures included, without making it. The seconds come from the
// model's measured speed; a model that has never run is measured with one forward pass of the input. Errors as for
// Explain.
func Estimate(ctx context.Context, r Request) (Cost, error) {
	j, err := prepare(ctx, r)
	if err != nil {
		return Cost{}, err
	}
	if !measured(j.info) {
		if _, err := j.engine.Run(ctx, []inference.Example{j.windows[0].in.Example}, inference.RunSpec{Threads: r.Threads}); err != nil {
			return Cost{}, err
		}
	}
	var total Cost
	if words := r.Continuation.together(r.Target); words > 1 { // forward passes are shared, each word has its own gradients
		once := j.method.Cost(j.info, len(j.windows[0].in.Tokens), j.params)
		total = spend(j.info, len(j.windows[0].in.Tokens), 0, once.Gradients*(words-1))
	}
	for _, w := range j.windows {
		tokens := max(len(w.in.Tokens), len(w.in.Example.IDs))
		total = total.plus(spend(j.info, tokens, 1, 0)).plus(j.method.Cost(j.info, tokens, j.params))
	}
	if w := j.windows[0]; r.Draws >= 0 {
		units := 0
		for _, t := range w.in.Tokens {
			if !t.Special {
				units++
			}
		}
		total = total.plus(figureCost(j.info, len(w.in.Example.IDs), units, j.draws())).plus(steadyCost(j.method, j.info, len(w.in.Example.IDs), j.params))
	}
	return total, nil
}

// Typical is what Estimate would say of an input of that many tokens (ignored for images), with default parameters
// and figures included. It needs no input and runs nothing.
func Typical(m Method, info inference.Info, tokens int) (Cost, error) {
	params, err := m.Resolve(nil)
	if err != nil {
		return Cost{}, err
	}
	first := tokens
	if info.MaxTokens > 0 {
		first = min(tokens, info.MaxTokens)
	}
	total := figureCost(info, first, max(1, first-2), DefaultDraws).plus(steadyCost(m, info, first, params))
	for left := tokens; ; left -= first {
		window := min(left, first)
		total = total.plus(spend(info, window, 1, 0)).plus(m.Cost(info, window, params))
		if left <= first || first <= 0 {
			return total, nil
		}
	}
}

func (c Cost) plus(d Cost) Cost {
	return Cost{c.Forwards + d.Forwards, c.Gradients + d.Gradients, c.Seconds + d.Seconds}
}

// measured says whether the model's speed is known from a run.
func measured(info inference.Info) bool {
	speeds.Lock()
	defer speeds.Unlock()
	s := speeds.of[info.Digest]
	return s.forward > 0 || s.gradient > 0
}

// steadyCost counts the runs of the figure sensitivity-max: a cheap method is run again on noisy copies.
func steadyCost(m Method, info inference.Info, tokens int, params map[string]any) Cost {
	if !m.steady(info, tokens, params) {
		return Cost{}
	}
	return spend(info, tokens, 1, 10*m.Cost(info, tokens, params).Gradients)
}

// figureCost counts the runs of the removal figures: two figures, five fractions, the ranking and its random
// controls, each mode. Equal sets run once, which the count for short texts takes into account: k = 1 has only as
// many sets as there are units.
func figureCost(info inference.Info, tokens, units, draws int) Cost {
	modes := 2
	if inference.WritesTexts(info.Task) {
		modes = 1
	}
	if info.Modality == "image" {
		units, modes = patchGrid*patchGrid, 1
	}
	if units == 0 {
		return Cost{}
	}
	runs := 1
	seen := map[int]bool{}
	for _, f := range metric.Fractions() {
		k := metric.Count(f, units)
		if seen[k] {
			continue
		}
		seen[k] = true
		sets := 1 + draws
		if k == 1 || k == units-1 {
			sets = min(sets, units)
		}
		runs += 2 * sets
	}
	runs *= modes
	runs += 11 // infidelity
	if info.Modality == "image" {
		runs += 2 * 15 * (1 + min(draws, 8)) // deletion and insertion curves
	}
	return spend(info, tokens, runs, 0)
}
