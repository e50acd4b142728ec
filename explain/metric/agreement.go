package metric

import (
	"context"
	"math"
	"slices"
)

// Agreement is the mean of Kendall's tau-b with the other methods run on the same input. Higher is better. Methods may agree
// and all be wrong: the figure says how far the choice of method matters.
func init() {
	register(Metric{ID: "agreement", Help: "explain.metric.agreement", Higher: true, Compute: agreement})
}

func agreement(_ context.Context, s *Subject) ([]Figure, error) {
	if len(s.Scores) < 2 || len(s.Others) == 0 {
		return nil, nil
	}
	f := Figure{ID: "agreement", Mode: "tau", Higher: true, Draws: s.Draws}
	for _, other := range s.Others {
		f.Steps = append(f.Steps, Kendall(s.Scores, other))
	}
	f.Value = mean(f.Steps)
	f.Low, f.High = bootstrap(f.Steps, NewDraw(s.Seed, "bootstrap agreement"))
	f.Low, f.High = min(f.Low, f.Value), max(f.High, f.Value)
	d := NewDraw(s.Seed, "agreement")
	var control []float64
	asGood := 0
	for range s.Draws {
		order := d.Permutation(len(s.Scores))
		shuffled := make([]float64, len(order))
		for i, k := range order {
			shuffled[i] = s.Scores[k]
		}
		v := 0.0
		for _, other := range s.Others {
			v += Kendall(shuffled, other) / float64(len(s.Others))
		}
		control = append(control, v)
		if v >= f.Value {
			asGood++
		}
	}
	f.Control, f.P, f.Steps = mean(control), share(asGood, s.Draws), nil
	return []Figure{f}, nil
}

// Kendall is Kendall's tau-b of two rankings of equal length; 0 where one of them is constant.
func Kendall(a, b []float64) float64 {
	var agree, tiesA, tiesB, pairs float64
	for i := range a {
		for j := range i {
			da, db := a[i]-a[j], b[i]-b[j]
			pairs++
			if da == 0 {
				tiesA++
			}
			if db == 0 {
				tiesB++
			}
			switch {
			case da == 0 || db == 0:
			case (da > 0) == (db > 0):
				agree++
			default:
				agree--
			}
		}
	}
	scale := math.Sqrt(float64((pairs - tiesA) * (pairs - tiesB)))
	if scale == 0 {
		return 0
	}
	return agree / scale
}

// Spearman is the correlation of the ranks, ties sharing their mean rank.
func Spearman(a, b []float64) float64 { return Pearson(ranks(a), ranks(b)) }

// Pearson is the correlation; 0 where one of the two is constant.
func Pearson(a, b []float64) float64 {
	ma, mb := mean(a), mean(b)
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab += float64((a[i] - ma) * (b[i] - mb))
		aa += float64((a[i] - ma) * (a[i] - ma))
		bb += float64((b[i] - mb) * (b[i] - mb))
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(float64(aa*bb))
}

func ranks(v []float64) []float64 {
	order := Order(v)
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// TopOverlap is the share (Jaccard) of the k units with the largest absolute values that both have among theirs.
func TopOverlap(a, b []float64, k int) float64 {
	x, y := top(a, k), top(b, k)
	both := 0
	for _, u := range x {
		if slices.Contains(y, u) {
			both++
		}
	}
	if len(x)+len(y) == both {
		return 1
	}
	return float64(both) / float64(len(x)+len(y)-both)
}

// SignAgreement is the share of units whose values have the same sign.
func SignAgreement(a, b []float64) float64 {
	if len(a) == 0 {
		return 1
	}
	same := 0
	for i := range a {
		if a[i] == 0 && b[i] == 0 || a[i] > 0 && b[i] > 0 || a[i] < 0 && b[i] < 0 {
			same++
		}
	}
	return float64(same) / float64(len(a))
}

func top(v []float64, k int) []int {
	size := make([]float64, len(v))
	for i, x := range v {
		size[i] = math.Abs(x)
	}
	return Order(size)[:min(k, len(v))]
}
