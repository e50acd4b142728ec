package metric

import (
	"math"
	"slices"
)

// Sparseness is the Gini coefficient of the absolute values (Chalasani et al. 2020; quantus Sparseness, which adds 1e-7 to
// each): 0 where all are equal, towards 1 where few hold everything.
func Sparseness(values []float64) float64 {
	size := make([]float64, len(values))
	for i, v := range values {
		size[i] = math.Abs(v)
	}
	slices.Sort(size)
	n, weighed, total := float64(len(size)), 0.0, 0.0
	for i, v := range size {
		weighed += float64((2*float64(i+1) - n - 1) * (v + 1e-7))
		total += v + 1e-7
	}
	if n == 0 {
		return 0
	}
	return weighed / (n * total)
}

// Complexity is the entropy (natural logarithm) of the shares that the absolute values hold (Bhatt et al. 2020).
func Complexity(values []float64) float64 {
	total, h := 0.0, 0.0
	for _, v := range values {
		total += math.Abs(v)
	}
	for _, v := range values {
		if p := math.Abs(v) / total; p > 0 {
			h -= float64(p * math.Log(p))
		}
	}
	return h
}

// EffectiveComplexity counts the values larger than eps in size (Nguyen & Martínez 2020).
func EffectiveComplexity(values []float64, eps float64) int {
	n := 0
	for _, v := range values {
		if math.Abs(v) > eps {
			n++
		}
	}
	return n
}
