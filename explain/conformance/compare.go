package conformance

import (
	"fmt"
	"math"
	"slices"
)

// Tolerances of the format: 4 times the reference's own float32 error, never better than 1e-6 + 1e-5 of the value.
const (
	errorFactor = 4
	absolute    = 1e-6
	relative    = 1e-5
)

// wants says whether the case holds a value of this name.
func (s *subject) wants(what string) bool { return slices.Contains(s.c.Expect, what) }

// compare holds values of all rows against the expected tensor. axes names the dimensions of the expected tensor
// that count positions of a padded text: of those only the real positions are compared. Rows come one after another,
// which the first dimension counts unless batchless.
func (s *subject) compare(what string, rows [][]float64, axes ...int) {
	if !s.wants(what) {
		return
	}
	want, err := s.tensor(s.c.Name + "/" + what)
	if err != nil {
		s.report(what, 0, 0, false, err)
		return
	}
	var expected []float64
	if s.keep == nil || len(axes) == 0 {
		expected = want.data
	} else {
		for row := range rows {
			expected = append(expected, s.real(want, row, axes)...)
		}
	}
	s.hold(what, slices.Concat(rows...), expected, s.scale[what])
}

// compareDelta holds convergence deltas. A delta is the small difference of large numbers, so its allowed error
// refers to those: scales holds |F(x)| + |F(b)| of each row.
func (s *subject) compareDelta(deltas, scales []float64) {
	s.compareDeltas("delta", deltas, slices.Max(scales))
}

// compareDeltas is compareDelta for deltas of another name, with one scale for all.
func (s *subject) compareDeltas(what string, deltas []float64, scale float64) {
	if !s.wants(what) {
		return
	}
	want, err := s.tensor(s.c.Name + "/" + what)
	if err != nil {
		s.report(what, 0, 0, false, err)
		return
	}
	s.hold(what, deltas, want.data, scale)
}

func (s *subject) hold(what string, got, expected []float64, scale float64) {
	if len(got) != len(expected) {
		s.report(what, 0, 0, false, fmt.Errorf("%d values where the reference has %d", len(got), len(expected)))
		return
	}
	largest, allowed, ok := judge(got, expected, s.c.allowedError(what), scale)
	s.report(what, largest, allowed, ok, nil)
}

// real picks row and real positions out of an expected tensor whose first dimension is the batch where axis 0 is not
// among axes.
func (s *subject) real(want values, row int, axes []int) []float64 {
	var out []float64
	index := make([]int, len(want.shape))
	var walk func(axis, offset int)
	walk = func(axis, offset int) {
		if axis == len(want.shape) {
			out = append(out, want.data[offset])
			return
		}
		for i := range want.shape[axis] {
			switch {
			case slices.Contains(axes, axis) && want.shape[axis] == s.padded && !slices.Contains(s.keep[row], i):
				continue
			case axis == 0 && !slices.Contains(axes, 0) && i != row:
				continue
			}
			index[axis] = i
			walk(axis+1, offset*want.shape[axis]+i)
		}
	}
	walk(0, 0)
	return out
}

// judge gives the largest difference, the allowed difference where the limit is nearest, and whether all are allowed.
// The relative part of what is allowed refers to the expected value, or to scale where that is larger.
func judge(got, want []float64, float32Error, scale float64) (largest, allowed float64, ok bool) {
	ok = true
	worst := -1.0
	allowed = max(errorFactor*float32Error, absolute)
	for i := range got {
		d := math.Abs(got[i] - want[i])
		a := max(errorFactor*float32Error, absolute+float64(relative*max(scale, math.Abs(want[i]))))
		if math.IsNaN(d) {
			return math.Inf(1), a, false
		}
		largest = max(largest, d)
		if d/a > worst {
			worst, allowed = d/a, a
		}
		ok = ok && d <= a
	}
	return largest, allowed, ok
}
