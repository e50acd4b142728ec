package conformance

import (
	"fmt"
	"math"
)

// Floor of every comparison of floating values: nobody asks for better than
// 1e-6 absolute plus 1e-5 relative.
const (
	floorAbsolute = 1e-6
	floorRelative = 1e-5
	errorFactor   = 4 // times the reference library's own float32 error
)

// Allowed is the difference allowed at a value.
func Allowed(want, float32Error float64) float64 {
	return max(errorFactor*float32Error, floorAbsolute+floorRelative*math.Abs(want))
}

// Values compares element by element; Largest and Allowed are those of the
// element that is nearest to its limit or furthest beyond it.
func Values(name, what string, got, want []float64, float32Error float64) Comparison {
	c := Comparison{Name: name, What: what, Status: OK, Allowed: Allowed(0, float32Error)}
	if len(got) != len(want) {
		c.Status, c.Why = Fail, fmt.Sprintf("%d values instead of %d", len(got), len(want))
		return c
	}
	worst := -1.0
	for i, w := range want {
		d, limit := math.Abs(got[i]-w), Allowed(w, float32Error)
		ratio := d / limit
		if math.IsNaN(ratio) { // a NaN on either side, or infinities
			if got[i] == w {
				continue
			}
			d, ratio = math.Inf(1), math.Inf(1)
		}
		if ratio > worst {
			worst, c.Largest, c.Allowed = ratio, d, limit
		}
	}
	if worst > 1 {
		c.Status = Fail
	}
	return c
}

// Exactly compares values that must be the same; Largest counts the elements
// that differ.
func Exactly[T comparable](name, what string, got, want []T) Comparison {
	c := Comparison{Name: name, What: what, Status: OK}
	if len(got) != len(want) {
		c.Status, c.Why = Fail, fmt.Sprintf("%d values instead of %d", len(got), len(want))
		c.Largest = math.Abs(float64(len(got) - len(want)))
		return c
	}
	for i := range want {
		if got[i] != want[i] {
			if c.Largest++; c.Largest == 1 {
				c.Status, c.Why = Fail, fmt.Sprintf("element %d is %v, not %v", i, got[i], want[i])
			}
		}
	}
	return c
}

// unsupported says why a value is not compared.
func unsupported(name, what, why string) Comparison {
	return Comparison{Name: name, What: what, Status: Unsupported, Why: why}
}

// failed is a comparison that could not be made because something broke.
func failed(name, what string, err error) Comparison {
	return Comparison{Name: name, What: what, Status: Fail, Why: err.Error()}
}
