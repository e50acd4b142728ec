package op

import (
	"math"
	"testing"

	"vitrine/inference/graph"
)

func init() {
	paired := func(s []int, x, g []float64, num func(i, j int) float64) []float64 {
		half := graph.Size(s) / 2
		out := make([]float64, 2*half)
		for i := range half {
			m := num(i, half+i) / (x[i] - x[half+i])
			if math.Abs(x[i]-x[half+i]) < rescaleEps {
				m = g[i]
			}
			out[i], out[half+i] = m, m
		}
		return out
	}
	twins["unfolded"] = func(a any, in []tensor64, s []int) []float64 {
		u := a.(*Unfolded)
		return conv64(&Conv{Filter: u.Filter(), Stride: u.Folded.Stride, Pad: u.Folded.Pad}, in, s)
	}
	twins["rescale"] = func(_ any, in []tensor64, s []int) []float64 {
		return paired(s, in[1].data, in[3].data, func(i, j int) float64 { return in[0].data[i] * (in[2].data[i] - in[2].data[j]) })
	}
	twins["rescale_max"] = func(a any, in []tensor64, s []int) []float64 {
		dy, y := in[0].data, in[2].data
		sum := make([]float64, graph.Size(s))
		half := len(y) / 2
		maxima64(a.(*MaxPool), in[1], in[2].shape, func(o, at int) {
			if o < half {
				sum[at] += dy[o] * (math.Max(y[o], y[half+o]) - y[half+o])
			} else {
				sum[at-len(sum)/2] += dy[o-half] * (y[o-half] - math.Max(y[o-half], y[o]))
			}
		})
		return paired(s, in[1].data, in[3].data, func(i, _ int) float64 { return sum[i] })
	}
}

// TestRules: every rule replaces the rules of ops that exist and have one; an unknown rule is refused by name.
func TestRules(t *testing.T) {
	for _, r := range rules {
		if got, err := FindRule(r.Name); err != nil || got.Name != r.Name {
			t.Errorf("%s: %v", r.Name, err)
		}
		for name := range r.Rules {
			if o := graph.Lookup(name); o == nil || o.VJP == nil {
				t.Errorf("rule %s replaces that of %s, which has none", r.Name, name)
			}
		}
	}
	if _, err := FindRule("straight-through"); err == nil {
		t.Error("an unknown rule was found")
	}
}
