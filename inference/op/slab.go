package op

import (
	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// slabWork is how many multiply-adds pass between two looks at the run's context: well below 100 ms on one thread of a
// slow machine of the level, and so many that no node of a usual size is divided.
var slabWork = map[kernel.Level]int{kernel.Generic: 1 << 25, "neon": 1 << 29, kernel.AVX2: 3 << 30, kernel.AVX512: 6 << 30}

// slabs calls f on ranges of n units, each of per multiply-adds, and stops between two ranges when the run is cancelled.
// Ranges are multiples of step units where so many may be done at once.
func slabs(c *graph.Call, n, step, per int, f func(lo, hi int)) {
	size := max(1, slabWork[kernel.Current()]/max(1, per))
	if size > step {
		size -= size % step
	}
	for lo := 0; lo < n; lo += size {
		if lo > 0 && c.Cancelled() {
			return
		}
		f(lo, min(n, lo+size))
	}
}

// elementWork is the cost of an element of an elementary function in multiply-adds, on the level where they are cheapest in
// comparison.
const elementWork = 32

// overRows calls f on ranges of r rows of n elements, as slabs does.
func overRows(c *graph.Call, r, n int, f func(lo, hi int)) { slabs(c, r, 1, n*elementWork, f) }
