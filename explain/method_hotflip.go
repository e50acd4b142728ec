package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"unicode"

	"vitrine/inference"
)

// HotFlip (Ebrahimi et al. 2018): to first order, writing word v in place of token t changes F by (e_v - e_t)·dF/de_t. The
// exchanges with the largest expected fall are tried on the model; while none turns the answer, the best one stays and the
// search goes on from there. Whole words only. A token's value is its largest expected fall.
func init() {
	register(Method{
		ID: "hotflip", Version: "1", Family: "counterfactual", Modalities: []string{"text"},
		Params: append(targetParams(), baselineParam(),
			Param{Name: "flips", Type: "int", Default: 3, Min: bound(1), Max: bound(16), Help: "explain.param.flips"},
			Param{Name: "candidates", Type: "int", Default: 4, Min: bound(1), Max: bound(64), Help: "explain.param.candidates"}),
		Suitable: func(info inference.Info) error {
			if err := differentiable(info); err != nil {
				return err
			}
			return classifies(info)
		},
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			rounds := paramInt(params, "flips")
			return spend(info, tokens, 2+rounds*paramInt(params, "candidates")*max(1, tokens-2), rounds)
		},
		run: runHotFlip,
	})
}

// exchange is one word written in place of a token, with the change of F that the gradient expects.
type exchange struct {
	position int
	id       int32
	change   float64
}

func runHotFlip(ctx context.Context, p *Problem) (*Attribution, error) {
	words, ok := vocabulary(p.Engine)
	if !ok {
		return nil, fmt.Errorf("explain: hotflip: the engine shows no vocabulary: %w", ErrUnsuitable)
	}
	table, ok := words.WordEmbeddings()
	if !ok {
		return nil, fmt.Errorf("explain: hotflip: %s has no table of word embeddings: %w", p.Info.Name, ErrUnsuitable)
	}
	fx, fb, before, err := p.both(ctx)
	if err != nil {
		return nil, err
	}
	a := &Attribution{Values: make([]float64, len(p.Tokens)), Shape: []int{len(p.Tokens)}, Output: fx, BaselineOutput: fb}
	usable := wholeWords(words, table.Shape[0])
	now := p.Example
	var changed []exchange
	for round := range paramInt(p.Params, "flips") {
		best, err := p.exchanges(ctx, now, changed, table, usable)
		if err != nil {
			return nil, err
		}
		if round == 0 {
			for _, e := range best {
				a.Values[e.position] = max(a.Values[e.position], -e.change)
			}
		}
		flips, kept, err := p.tryExchanges(ctx, now, changed, best, words, before)
		if err != nil || len(flips) == 0 {
			return a, err
		}
		for _, f := range flips {
			if f.Flipped && len(a.Flips) < maxFlips {
				a.Flips = append(a.Flips, f)
			}
		}
		if len(a.Flips) > 0 {
			return a, nil
		}
		changed = append(changed, kept)
		now.IDs = slices.Clone(now.IDs)
		now.IDs[kept.position] = kept.id
	}
	a.Warnings = append(a.Warnings, WarnNoFlip)
	return a, nil
}

// wholeWords marks the ids that a person would read as a word.
func wholeWords(v Vocabulary, n int) []bool {
	out := make([]bool, n)
	for id := range out {
		w, ok := v.Word(int32(id))
		letters := 0
		for i, r := range []rune(w) {
			if unicode.IsLetter(r) {
				letters++
			} else if !(i == 0 && (r == 'Ġ' || r == '▁')) {
				ok = false
			}
		}
		out[id] = ok && letters > 1
	}
	return out
}

// exchanges gives the candidates of every position that was not changed yet, best first.
func (p *Problem) exchanges(ctx context.Context, now inference.Example, changed []exchange, table inference.Tensor, usable []bool) ([]exchange, error) {
	q := *p
	q.Example = now
	x, g, _, err := q.gradient(ctx)
	if err != nil {
		return nil, err
	}
	d := table.Shape[1]
	var out []exchange
	for _, t := range p.content() {
		if slices.ContainsFunc(changed, func(e exchange) bool { return e.position == t }) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("explain: hotflip: %w", err)
		}
		slope := g[t*d : (t+1)*d]
		here := 0.0
		for j, v := range slope {
			here += float64(x[t*d+j]) * float64(v)
		}
		out = append(out, bestWords(table, usable, slope, here, t, now.IDs[t], paramInt(p.Params, "candidates"))...)
	}
	slices.SortStableFunc(out, func(a, b exchange) int {
		return cmp.Or(cmp.Compare(a.change, b.change), cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id))
	})
	return out, nil
}

// bestWords are the n words whose embedding lies lowest along the slope.
func bestWords(table inference.Tensor, usable []bool, slope []float32, here float64, t int, old int32, n int) []exchange {
	d := len(slope)
	var best []exchange
	for id, ok := range usable {
		if !ok || int32(id) == old {
			continue
		}
		there := 0.0
		for j, v := range table.Data[id*d : (id+1)*d] {
			there += float64(v) * float64(slope[j])
		}
		e := exchange{t, int32(id), there - here}
		if len(best) == n && e.change >= best[n-1].change {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, e, func(a, b exchange) int { return cmp.Or(cmp.Compare(a.change, b.change), cmp.Compare(a.id, b.id)) })
		best = slices.Insert(best, at, e)
		best = best[:min(n, len(best))]
	}
	return best
}

// tryExchanges runs the candidates and gives them with what they did, lowest F first, and the best of them.
func (p *Problem) tryExchanges(ctx context.Context, now inference.Example, changed, list []exchange, words Vocabulary, before int) ([]Flip, exchange, error) {
	flips, batch := make([]Flip, len(list)), make([]inference.Example, len(list))
	for i, e := range list {
		batch[i] = now
		batch[i].IDs = slices.Clone(now.IDs)
		batch[i].IDs[e.position] = e.id
		for _, c := range append(slices.Clone(changed), e) {
			w, _ := words.Word(c.id)
			flips[i].Positions, flips[i].Words = append(flips[i].Positions, c.position), append(flips[i].Words, w)
		}
	}
	flips, err := p.try(ctx, batch, flips, before)
	if err != nil || len(flips) == 0 {
		return nil, exchange{}, err
	}
	best := 0
	for i, f := range flips {
		if f.Output < flips[best].Output {
			best = i
		}
	}
	kept := list[best]
	slices.SortStableFunc(flips, func(a, b Flip) int { return cmp.Compare(a.Output, b.Output) })
	return flips, kept, nil
}
