package faithfulness

import (
	"math"

	"vitrine/explain"
	"vitrine/explain/metric"
)

// marks are the figures of inputs whose decisive words people marked.
var marks = []struct {
	id      string
	compute func([]float64, []bool) float64
}{{"auprc", metric.AUPRC}, {"pointing-game", metric.Pointing}, {"token-f1", metric.TokenF1}}

// marked compares an explanation of a text with the characters that people marked; the control shuffles the values. Nothing comes of
// marks that no token or every token bears, nor of values that rank nothing.
func (r Request) marked(e *explain.Explanation, rationale [][2]int) []explain.Metric {
	var bears []bool
	for _, t := range e.Tokens {
		if t.Special {
			continue
		}
		hit := false
		for _, span := range rationale {
			hit = hit || !t.Pair && t.Start < span[1] && span[0] < t.End
		}
		bears = append(bears, hit)
	}
	scores := explain.Units(e)
	var out []explain.Metric
	for _, m := range marks {
		f := explain.Metric{ID: m.id, Value: m.compute(scores, bears), Higher: true, Draws: r.Draws}
		if math.IsNaN(f.Value) {
			continue
		}
		d := metric.NewDraw(r.Seed, "rationale")
		for range r.Draws {
			shuffled := make([]float64, len(scores))
			for i, k := range d.Permutation(len(scores)) {
				shuffled[i] = scores[k]
			}
			f.Control += m.compute(shuffled, bears) / float64(r.Draws)
		}
		out = append(out, f)
	}
	return out
}
