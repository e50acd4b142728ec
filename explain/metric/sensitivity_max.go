package metric

import (
	"context"
	"math"
	"slices"
)

// Radius is the largest change of a value of the differentiated input in the figure sensitivity-max.
const Radius = 0.02

// Largest sensitivity (Yeh et al. 2019; Captum sensitivity_max): the largest ‖φ(x')-φ(x)‖/‖φ(x)‖ over copies x' of the
// input, each value moved by at most Radius. Lower is better. The control shuffles the values.
func init() {
	register(Metric{ID: "sensitivity-max", Help: "explain.metric.sensitivity-max", Higher: false, Stable: true, Compute: sensitivity})
}

func sensitivity(ctx context.Context, s *Subject) ([]Figure, error) {
	if s.Again == nil || len(s.Once) == 0 {
		return nil, nil
	}
	again, err := s.Again(ctx, perturbations)
	if err != nil {
		return nil, err
	}
	changes := Changes(s.Once, again)
	if len(changes) == 0 {
		return nil, nil
	}
	f := Figure{ID: "sensitivity-max", Mode: "radius-0.02", Value: slices.Max(changes), Draws: s.Draws}
	f.Low, f.High = slices.Min(changes), f.Value
	d := NewDraw(s.Seed, "sensitivity")
	var control []float64
	asGood := 0
	for range s.Draws {
		shuffled := make([]float64, len(s.Once))
		for i, k := range d.Permutation(len(s.Once)) {
			shuffled[i] = s.Once[k]
		}
		v := Changes(s.Once, [][]float64{shuffled})[0]
		control = append(control, v)
		if v <= f.Value {
			asGood++
		}
	}
	f.Control, f.P = mean(control), share(asGood, s.Draws)
	return []Figure{f}, nil
}

// Changes gives ‖other-values‖/‖values‖ of each other attribution; nothing where the values are all zero.
func Changes(values []float64, others [][]float64) []float64 {
	norm := 0.0
	for _, v := range values {
		norm += float64(v * v)
	}
	if norm == 0 {
		return nil
	}
	var out []float64
	for _, other := range others {
		d := 0.0
		for i, v := range values {
			d += float64((other[i] - v) * (other[i] - v))
		}
		out = append(out, math.Sqrt(d/norm))
	}
	return out
}
