package conformance

import (
	"context"
	"path"
	"testing"
)

// unsupportedHere lists what the references hold and this engine does not run.
var unsupportedHere = map[string]bool{"decode": true, "image-processor": true}

// Every golden folder copied into this repository passes: nothing fails, and
// nothing but the listed picture formats is left out.
func TestGolden(t *testing.T) {
	counts := map[string]int{}
	err := Run(context.Background(), "testdata/golden", "", func(c Comparison) {
		counts[c.Status]++
		switch c.Status {
		case OK:
		case Unsupported:
			if !unsupportedHere[c.What] || path.Dir(c.Name) != "image" && path.Dir(path.Dir(c.Name)) != "image" {
				t.Errorf("%s %s: unsupported: %s", c.Name, c.What, c.Why)
			}
		default:
			t.Errorf("%s %s: difference %.3g, allowed %.3g %s", c.Name, c.What, c.Largest, c.Allowed, c.Why)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if counts[OK] < 600 {
		t.Errorf("only %d comparisons passed: %v", counts[OK], counts)
	}
	t.Log(counts)
}
