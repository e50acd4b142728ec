package explain

import (
	"cmp"
	"slices"

	"vitrine/inference"
)

// merge joins the windows' tokens into one list in reading order. A non-special token has one number in every window
// that holds it. Special tokens stand for one another where as many special tokens come before them.
func (j *job) merge(in []inference.Window) {
	j.windows = make([]window, len(in))
	total := 0.0
	for i, w := range in {
		j.windows[i].in = w
		n := 0
		for _, t := range w.Tokens {
			if !t.Special {
				n++
			}
		}
		j.windows[i].weight = float64(max(1, n))
		total += j.windows[i].weight
	}
	for i := range j.windows {
		j.windows[i].weight /= total
	}
	if len(in) == 1 {
		j.tokens = in[0].Tokens
		j.windows[0].position = make([]int, len(in[0].Tokens))
		for t := range in[0].Tokens {
			j.windows[0].position[t] = t
		}
		return
	}
	j.mergeTokens()
}

// place orders tokens: first text before second, then the token's number, special tokens around them.
type place struct {
	pair, index, rank int
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.pair, q.pair), cmp.Compare(p.index, q.index), cmp.Compare(p.rank, q.rank))
}

// places gives the place of each token of a window.
func places(tokens []inference.Token) []place {
	const behind = int(^uint(0) >> 1) // every other token of its text
	out := make([]place, len(tokens))
	specials, pair, seen := 0, 0, false
	for t, tok := range tokens {
		switch {
		case !tok.Special:
			if seen = true; tok.Pair {
				pair = 1
			}
			out[t] = place{pair: pair, index: tok.Index}
			continue
		case !seen: // leading: before everything
			out[t] = place{index: -1, rank: specials}
		default:
			out[t] = place{pair: pair, index: behind, rank: specials}
		}
		specials++
	}
	return out
}

func (j *job) mergeTokens() {
	known := map[place]inference.Token{}
	for _, w := range j.windows {
		for t, p := range places(w.in.Tokens) {
			if _, ok := known[p]; !ok {
				known[p] = w.in.Tokens[t]
			}
		}
	}
	order := make([]place, 0, len(known))
	for p := range known {
		order = append(order, p)
	}
	slices.SortFunc(order, place.compare)
	index := make(map[place]int, len(order))
	for i, p := range order {
		index[p] = i
		j.tokens = append(j.tokens, known[p])
	}
	for i := range j.windows {
		for _, p := range places(j.windows[i].in.Tokens) {
			j.windows[i].position = append(j.windows[i].position, index[p])
		}
	}
}
