package metric

import (
	"context"
	"slices"
)

// Deletion and insertion (Petsiuk et al. 2018, RISE): the class probability while patches of a picture are put to the
// baseline, most important first, or while they appear in the blurred picture; the figure is the area under the curve by
// the trapezoid rule, the number of steps being 1. A good deletion falls early (lower is better), a good insertion rises
// early (higher is better).
func init() {
	register(Metric{ID: "deletion-auc", Help: "explain.metric.deletion-auc", Higher: false,
		Compute: func(ctx context.Context, s *Subject) ([]Figure, error) { return curve(ctx, s, "deletion-auc", false) }})
	register(Metric{ID: "insertion-auc", Help: "explain.metric.insertion-auc", Higher: true,
		Compute: func(ctx context.Context, s *Subject) ([]Figure, error) { return curve(ctx, s, "insertion-auc", true) }})
}

// Most steps of a curve, and most random orders that it is compared with: both multiply the runs.
const (
	curveSteps = 14
	curveDraws = 8
)

func curve(ctx context.Context, s *Subject, id string, insertion bool) ([]Figure, error) {
	if s.Value == nil || !s.Curve || !Ranks(s.Scores) {
		return nil, nil
	}
	n := len(s.Scores)
	step := (n + curveSteps - 1) / curveSteps
	draws := min(s.Draws, curveDraws)
	d := NewDraw(s.Seed, "curve")
	orders := [][]int{Order(s.Scores)}
	for range draws {
		orders = append(orders, d.Permutation(n))
	}
	mode := "baseline"
	if insertion {
		mode = "blur"
	}
	var sets [][]int
	for _, order := range orders {
		sets = append(sets, CurveSets(order, step, insertion)...)
	}
	values, err := s.values(ctx, mode, sets)
	if err != nil {
		return nil, err
	}
	points := len(values) / len(orders)
	f := Figure{ID: id, Mode: mode, Higher: insertion, Draws: draws, Value: AUC(values[:points]), Steps: slices.Clone(values[:points])}
	for k := range points {
		f.Fractions = append(f.Fractions, min(1, float64(k*step)/float64(n)))
	}
	var control []float64
	asGood := 0
	for i := 1; i < len(orders); i++ {
		v := AUC(values[i*points : (i+1)*points])
		control = append(control, v)
		if insertion && v >= f.Value || !insertion && v <= f.Value {
			asGood++
		}
	}
	f.Control, f.P = mean(control), share(asGood, draws)
	f.Low, f.High = bootstrap(f.Steps, NewDraw(s.Seed, "bootstrap "+id))
	f.Low, f.High = min(f.Low, f.Value), max(f.High, f.Value)
	return []Figure{f}, nil
}

// CurveSets lists the units gone at each point of a curve: for deletion the first 0, step, 2·step, ... of the order, for
// insertion all but those.
func CurveSets(order []int, step int, insertion bool) [][]int {
	var out [][]int
	for k := 0; ; k = min(k+step, len(order)) {
		set := slices.Clone(order[:k])
		if insertion {
			set = slices.Clone(order[k:])
		}
		slices.Sort(set)
		out = append(out, set)
		if k == len(order) {
			return out
		}
	}
}

// AUC is the area under a curve of equally spaced points, their whole width being 1, by the trapezoid rule.
func AUC(points []float64) float64 {
	if len(points) < 2 {
		return mean(points)
	}
	total := 0.0
	for _, v := range points {
		total += v
	}
	return (total - (points[0]+points[len(points)-1])/2) / float64(len(points)-1)
}
