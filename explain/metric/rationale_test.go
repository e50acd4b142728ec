package metric

import (
	"math"
	"testing"
)

// Worked by hand after the definitions.
func TestRationale(t *testing.T) {
	for name, c := range map[string]struct {
		scores              []float64
		marked              []bool
		pointing, f1, auprc float64
	}{
		"perfect":   {[]float64{3, 2, 1, 0}, []bool{true, true, false, false}, 1, 1, 1},
		"worst":     {[]float64{0, 1, 2, 3}, []bool{true, false, false, false}, 0, 0, 0.125},
		"half":      {[]float64{4, 3, 2, 1}, []bool{true, false, true, false}, 1, 0.5, 0.5 + (0.5+2./3)/2*0.5},
		"with ties": {[]float64{1, 1, 0, 0}, []bool{true, false, true, false}, 1, 0.5, (1+0.5)/2*0.5 + 0.5*0.5},
	} {
		if p, f, a := Pointing(c.scores, c.marked), TokenF1(c.scores, c.marked), AUPRC(c.scores, c.marked); p != c.pointing || f != c.f1 || math.Abs(a-c.auprc) > 1e-12 {
			t.Errorf("%s: pointing %v, F1 %v, AUPRC %v, want %v %v %v", name, p, f, a, c.pointing, c.f1, c.auprc)
		}
	}
	for name, c := range map[string]struct {
		scores []float64
		marked []bool
	}{"no rank": {[]float64{1, 1}, []bool{true, false}}, "none marked": {[]float64{1, 2}, []bool{false, false}}, "all marked": {[]float64{1, 2}, []bool{true, true}}, "another length": {[]float64{1, 2}, []bool{true}}} {
		for _, v := range []float64{Pointing(c.scores, c.marked), TokenF1(c.scores, c.marked), AUPRC(c.scores, c.marked)} {
			if !math.IsNaN(v) {
				t.Errorf("%s: %v", name, v)
			}
		}
	}
}
