package explain

import (
	"cmp"
	"context"
	"slices"

	"vitrine/inference"
)

// WarnNoFlip: no change within the limits turned the answer.
const WarnNoFlip = "no-flip"

// Minimal removal: the smallest sets of words whose removal turns the answer, each one tried on the model (input reduction
// and counterfactual erasure, Feng et al. 2018; Ross et al. 2021). Single words and pairs are all tried; larger sets grow from the
// best pairs, by the word that lowers F most. A token's value is the share of the smallest sets that hold it.
func init() {
	register(Method{
		ID: "ablation-flip", Version: "1", Family: "counterfactual", Modalities: []string{"text"},
		Params: append(targetParams(), baselineParam(),
			Param{Name: "remove", Type: "enum", Default: "auto", Enum: []string{"auto", "mask", "pad", "delete"}, Help: "explain.param.remove"},
			Param{Name: "flips", Type: "int", Default: 4, Min: bound(1), Max: bound(16), Help: "explain.param.flips"}),
		Suitable: classifies,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			n := max(1, tokens-2)
			return spend(info, tokens, 2+n+min(n*(n-1)/2, maxPairs), 0)
		},
		run: runAblationFlip,
	})
}

const (
	maxPairs = 1024 // pairs of words that are tried
	maxFlips = 10   // sets that are kept
)

func runAblationFlip(ctx context.Context, p *Problem) (*Attribution, error) {
	fx, fb, before, err := p.both(ctx)
	if err != nil {
		return nil, err
	}
	mode := p.removalMode()
	p.Params["remove"] = mode
	words := tokenGroups(p.Tokens, "word")
	if p.Info.Task == "token-classification" {
		words = singles(p.content())
	}
	if len(words) > 1 { // removing everything says nothing
		words = slices.DeleteFunc(words, func(w []int) bool { return len(w) == len(p.content()) })
	}
	sets := [][]int{}
	for w := range words {
		sets = append(sets, []int{w})
	}
	var smallest, tried []Flip
	for size := 1; size <= paramInt(p.Params, "flips") && len(sets) > 0; size++ {
		if tried, err = p.remove(ctx, words, sets, mode, before); err != nil {
			return nil, err
		}
		for _, f := range tried {
			if f.Flipped && len(smallest) < maxFlips {
				smallest = append(smallest, f)
			}
		}
		if len(smallest) > 0 {
			break
		}
		sets = grow(len(words), sets, tried, size)
	}
	a := &Attribution{Values: make([]float64, len(p.Tokens)), Shape: []int{len(p.Tokens)}, Output: fx, BaselineOutput: fb, Flips: smallest}
	for _, f := range smallest {
		for _, t := range f.Positions {
			a.Values[t] += 1 / float64(len(smallest))
		}
	}
	if len(smallest) == 0 {
		a.Warnings = append(a.Warnings, WarnNoFlip)
	}
	return a, nil
}

func singles(positions []int) [][]int {
	var out [][]int
	for _, t := range positions {
		out = append(out, []int{t})
	}
	return out
}

// removalMode is how words are removed: masked where the tokenizer has a mask; deleting would move an explained token.
func (p *Problem) removalMode() string {
	mode := paramString(p.Params, "remove")
	switch {
	case mode == "delete" && p.Info.Task == "token-classification":
	case mode == "mask" && p.Info.SpecialIDs.Mask < 0, mode == "pad" && p.Info.SpecialIDs.Pad < 0:
	case mode != "auto":
		return mode
	}
	switch {
	case p.Info.SpecialIDs.Mask >= 0:
		return "mask"
	case p.Info.SpecialIDs.Pad >= 0:
		return "pad"
	}
	return "delete"
}

// remove tries sets of words.
func (p *Problem) remove(ctx context.Context, words, sets [][]int, mode string, before int) ([]Flip, error) {
	flips, batch := make([]Flip, len(sets)), make([]inference.Example, len(sets))
	all := make([]int, len(p.Tokens))
	for t := range all {
		all[t] = t
	}
	for i, set := range sets {
		for _, w := range set {
			flips[i].Positions = append(flips[i].Positions, words[w]...)
		}
		batch[i] = removeTokens(p, all, mode, flips[i].Positions)
	}
	return p.try(ctx, batch, flips, before)
}

// grow gives the next larger sets: all pairs while they are few, else the best sets with every other word.
func grow(words int, sets [][]int, tried []Flip, size int) [][]int {
	order := make([]int, len(sets))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tried[a].Output, tried[b].Output) })
	const kept = 4
	if size > 1 || words*(words-1)/2 > maxPairs {
		order = order[:min(kept, len(order))]
	}
	seen := map[string]bool{}
	var out [][]int
	for _, i := range order {
		for w := range words {
			if slices.Contains(sets[i], w) {
				continue
			}
			set := append(slices.Clone(sets[i]), w)
			slices.Sort(set)
			mask := make([]bool, words)
			for _, k := range set {
				mask[k] = true
			}
			if key := setKey(mask); !seen[key] {
				seen[key] = true
				out = append(out, set)
			}
		}
	}
	return out
}
