package explain

import (
	"cmp"
	"slices"

	"vitrine/inference"
)

// merge joins the windows' tokens into one list in reading order. A non-special token is the same token in every
// window that holds it. Of the special tokens, those with the same text and the same number of special tokens
// before them stand for one another: the list keeps the first window's leading and the last window's trailing ones.
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

// place orders tokens: first text before second, then characters, special tokens around them.
type place struct {
	pair, start, end, rank int
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.pair, q.pair), cmp.Compare(p.start, q.start), cmp.Compare(p.end, q.end), cmp.Compare(p.rank, q.rank))
}

func (j *job) mergeTokens() {
	const far = int(^uint(0) >> 2)
	places := map[place]inference.Token{}
	of := make([][]place, len(j.windows))
	for i := range j.windows {
		tokens := j.windows[i].in.Tokens
		of[i] = make([]place, len(tokens))
		specials, pair, seen := 0, 0, false
		last := place{}
		for t, tok := range tokens {
			var p place
			switch {
			case tok.Special && !seen: // leading: before everything
				p = place{start: -1, rank: specials}
			case tok.Special: // between or after: behind everything of its text
				p = place{pair: pair, start: far, rank: specials}
			default:
				seen = true
				if tok.Pair {
					pair = 1
				}
				p = place{pair: pair, start: tok.Start, end: tok.End}
				if p.start == last.start && p.end == last.end && p.pair == last.pair {
					p.rank = last.rank + 1 // several tokens of one character
				}
				last = p
			}
			if tok.Special {
				specials++
			}
			of[i][t] = p
			if _, ok := places[p]; !ok {
				places[p] = tok
			}
		}
	}
	order := make([]place, 0, len(places))
	for p := range places {
		order = append(order, p)
	}
	slices.SortFunc(order, place.compare)
	index := make(map[place]int, len(order))
	for i, p := range order {
		index[p] = i
		j.tokens = append(j.tokens, places[p])
	}
	for i := range j.windows {
		j.windows[i].position = make([]int, len(of[i]))
		for t, p := range of[i] {
			j.windows[i].position[t] = index[p]
		}
	}
}
