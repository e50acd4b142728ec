package family

import (
	"strconv"

	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// stack is a column of layers between an embedding and a last norm.
type stack struct {
	words     *op.Table
	scale     float32       // of the word embeddings
	scaled    bool          // the tap of the word embeddings lies behind the scale
	positions *op.Positions // learned or sinusoidal, nil for none
	first     norm          // of the embeddings
	layers    []layer
	last      norm
	taps      stackTaps
}

// stackTaps names the values of a stack; checkpoint is the name of its modules in the file, for aliases.
type stackTaps struct {
	words, hidden, self, cross string // prefixes but for words
	checkpoint, wordsModule    string
	attended, fed, residual    string // of decoder-only models: prefixes, and what the last norm reads
}

// names lists the taps of a list of n values.
func names(prefix string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, prefix+strconv.Itoa(i))
	}
	return out
}

// add appends the stack over ids and returns the word embeddings and the last hidden state.
func (s *stack) add(f *flow, ids, source graph.ID) (words, x graph.ID) {
	g := f.g
	tap := func(list ...string) string {
		if f.step != nil {
			return ""
		}
		return list[0]
	}
	words = g.Add("embedding", s.words, "", ids)
	x = words
	if s.scale != 1 {
		x = g.Add("scale", &op.Factor{By: s.scale}, "", x)
		if s.scaled {
			words = x
		}
	}
	if f.step == nil {
		g.Alias(s.taps.words, words)
		if s.taps.wordsModule != "" {
			g.Alias(s.taps.wordsModule, words)
		}
	}
	switch {
	case s.positions == nil:
	case f.step != nil:
		x = g.Add("add", nil, "", x, g.Add("embedding", &s.positions.Table, "", f.positions))
	default:
		x = g.Add("positions", s.positions, "", x)
	}
	x = s.first.add(g, tap(s.taps.hidden+"0"), x)
	for i := range s.layers {
		k := strconv.Itoa(i)
		var taps layerTaps
		if f.step == nil {
			taps = layerTaps{self: s.taps.self + k, cross: s.taps.cross + k}
			if s.taps.residual != "" {
				taps.attended, taps.fed = s.taps.attended+k, s.taps.fed+k
			}
		}
		x = s.layers[i].add(f, i, taps, x, source)
		if f.step != nil {
			continue
		}
		if s.taps.checkpoint != "" {
			g.Alias(s.taps.checkpoint+k, x)
		}
		if i+1 < len(s.layers) {
			g.Alias(s.taps.hidden+strconv.Itoa(i+1), x)
		}
	}
	if f.step == nil && s.taps.residual != "" {
		g.Alias(s.taps.residual, x)
	}
	return words, s.last.add(g, tap(s.taps.hidden+strconv.Itoa(len(s.layers))), x)
}
