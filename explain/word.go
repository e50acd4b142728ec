package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// WordAttribution is the attribution of one word: the sum over its subword tokens, which keeps completeness.
type WordAttribution struct {
	Text  string  `json:"text"` // the tokens joined; pages may show the input's own characters instead
	Start int     `json:"start"`
	End   int     `json:"end"`            // characters of the text
	Pair  bool    `json:"pair,omitempty"` // of the second text
	First int     `json:"first"`          // index of the first token
	Count int     `json:"count"`          // number of tokens
	Value float64 `json:"value"`
}

// Words groups the tokens of a text explanation into words, in reading order; special tokens are left out. Tokens
// of one word have the same word number, or where the tokenizer counts none (-1), continue one another with "##".
func Words(e *Explanation) []WordAttribution {
	var out []WordAttribution
	previous := -1 // index of the token before, if it was not special
	for i, t := range e.Tokens {
		if t.Special || i >= len(e.Attributions) {
			previous = -1
			continue
		}
		v := e.Attributions[i]
		text := strings.TrimPrefix(t.Text, "##")
		joined := false
		if previous >= 0 {
			joined = continues(e.Tokens[previous], t)
		}
		previous = i
		if joined {
			w := &out[len(out)-1]
			w.Text += text
			w.End = max(w.End, t.End)
			w.Count++
			w.Value += v
			continue
		}
		out = append(out, WordAttribution{Text: text, Start: t.Start, End: t.End, Pair: t.Pair, First: i, Count: 1, Value: v})
	}
	return out
}

// Top splits words into those that speak most for and most against the target, at most n of each, largest first.
// Words that carry under 1 % of the largest value are left out.
func Top(words []WordAttribution, n int) (supporting, opposing []WordAttribution) {
	sorted := slices.Clone(words)
	slices.SortStableFunc(sorted, func(a, b WordAttribution) int {
		return cmp.Compare(math.Abs(b.Value), math.Abs(a.Value))
	})
	for _, w := range sorted {
		if math.Abs(w.Value) < 0.01*math.Abs(sorted[0].Value) || w.Value == 0 {
			break
		}
		switch {
		case w.Value > 0 && len(supporting) < n:
			supporting = append(supporting, w)
		case w.Value < 0 && len(opposing) < n:
			opposing = append(opposing, w)
		}
	}
	return supporting, opposing
}
