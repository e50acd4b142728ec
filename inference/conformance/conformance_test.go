package conformance

import (
	"context"
	"math"
	"path"
	"testing"

	"vitrine/inference/kernel"
)

// unsupportedHere lists what the references hold and this engine does not run.
var unsupportedHere = map[string]bool{"decode": true, "image-processor": true}

// Every golden folder copied into this repository passes at every level the machine has: nothing fails, and nothing but the
// listed picture formats is left out. The distance from the reference is the same number at every level, as the bits are.
func TestGolden(t *testing.T) {
	distance := map[string]float64{}
	for _, level := range kernel.Levels() {
		defer kernel.SetLevel(level)()
		counts := map[string]int{}
		err := Run(context.Background(), "testdata/golden", "", func(c Comparison) {
			counts[c.Status]++
			switch c.Status {
			case OK:
			case Unsupported:
				if !unsupportedHere[c.What] || path.Dir(c.Name) != "image" && path.Dir(path.Dir(c.Name)) != "image" {
					t.Errorf("%s: %s %s: unsupported: %s", level, c.Name, c.What, c.Why)
				}
			default:
				t.Errorf("%s: %s %s: difference %.3g, allowed %.3g %s", level, c.Name, c.What, c.Largest, c.Allowed, c.Why)
			}
			key := c.Name + " " + c.What
			if d, ok := distance[key]; ok && math.Float64bits(d) != math.Float64bits(c.Largest) {
				t.Errorf("%s: %s: difference %.17g, at another level %.17g", level, key, c.Largest, d)
			}
			distance[key] = c.Largest
		})
		if err != nil {
			t.Fatal(err)
		}
		if counts[OK] < 600 {
			t.Errorf("%s: only %d comparisons passed: %v", level, counts[OK], counts)
		}
	}
}
