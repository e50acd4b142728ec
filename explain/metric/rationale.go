package metric

import (
	"math"
	"slices"
)

// Figures of plausibility: how well an attribution agrees with the units that people marked. They say nothing about the model: an
// attribution may be plausible and unfaithful (Jacovi & Goldberg 2020). Each is NaN where nothing or everything is marked, or where
// the scores rank nothing.

// Pointing is the pointing game (Zhang et al. 2016): 1 where the unit with the largest score is marked, the first of equals.
func Pointing(scores []float64, marked []bool) float64 {
	if !markable(scores, marked) {
		return math.NaN()
	}
	if marked[Order(scores)[0]] {
		return 1
	}
	return 0
}

// TokenF1 is the F1 of the marked units against as many units of the largest scores (DeYoung et al. 2020, ERASER): precision
// and recall are then equal.
func TokenF1(scores []float64, marked []bool) float64 {
	if !markable(scores, marked) {
		return math.NaN()
	}
	n, hit := count(marked), 0
	for _, u := range Order(scores)[:n] {
		if marked[u] {
			hit++
		}
	}
	return float64(hit) / float64(n)
}

// AUPRC is the area under the curve of precision over recall as the threshold falls (DeYoung et al. 2020; scikit-learn
// precision_recall_curve and auc: the trapezoid rule over the distinct scores, from recall 0 with precision 1).
func AUPRC(scores []float64, marked []bool) float64 {
	if !markable(scores, marked) {
		return math.NaN()
	}
	order, n := Order(scores), float64(count(marked))
	area, recall, precision := 0.0, 0.0, 1.0
	hit := 0.0
	for i, u := range order {
		if marked[u] {
			hit++
		}
		if i+1 < len(order) && scores[order[i+1]] == scores[u] {
			continue // equals pass the threshold together
		}
		r, p := hit/n, hit/float64(i+1)
		area += float64((r - recall) * (p + precision) / 2)
		recall, precision = r, p
	}
	return area
}

func markable(scores []float64, marked []bool) bool {
	return len(scores) == len(marked) && Ranks(scores) && slices.Contains(marked, true) && slices.Contains(marked, false)
}

func count(marked []bool) int {
	n := 0
	for _, m := range marked {
		if m {
			n++
		}
	}
	return n
}
