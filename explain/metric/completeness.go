package metric

import (
	"context"
	"math"
)

// Completeness: |sum of the attribution - (F(x) - F(b))|, relative to |F(x) - F(b)| (at least 0.01, so that a path
// without height gives no false alarm). 0 is exact; lower is better. The control keeps the sizes and draws the
// signs. The figure is a fact and no sample, so its interval is the value itself.
func init() {
	register(Metric{ID: "completeness", Help: "explain.metric.completeness", Higher: false, Compute: completeness})
}

func completeness(_ context.Context, s *Subject) ([]Figure, error) {
	if len(s.All) == 0 {
		return nil, nil
	}
	gap := s.Output - s.BaselineOutput
	scale := max(math.Abs(gap), 0.01)
	total := 0.0
	for _, v := range s.All {
		total += v
	}
	f := Figure{ID: "completeness", Value: math.Abs(total-gap) / scale, Draws: s.Draws}
	f.Low, f.High = f.Value, f.Value
	d := NewDraw(s.Seed, "completeness")
	control := make([]float64, s.Draws)
	asGood := 0
	for i := range control {
		t := 0.0
		for _, v := range s.All {
			if d.Below(2) == 0 {
				v = -v
			}
			t += v
		}
		control[i] = math.Abs(t-gap) / scale
		if control[i] <= f.Value {
			asGood++
		}
	}
	f.Control, f.P = mean(control), share(asGood, s.Draws)
	return []Figure{f}, nil
}
