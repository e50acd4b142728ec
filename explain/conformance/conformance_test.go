package conformance

import (
	"context"
	"os"
	"testing"

	"vitrine/inference/conformance"
)

// TestGolden holds the shipped methods and figures against Captum, grad-cam and the published formulas. What is
// unsupported must be a method or layer that is not built, never a value of a method that is.
func TestGolden(t *testing.T) {
	for name, least := range map[string]int{"bert": 240, "resnet": 60} {
		t.Run(name, func(t *testing.T) {
			counts := map[string]int{}
			reasons := map[string]int{}
			err := Compare(context.Background(), os.DirFS("testdata/golden/explain/"+name), name, func(c conformance.Comparison) {
				counts[c.Status]++
				switch c.Status {
				case conformance.Fail:
					t.Errorf("%s %s: difference %.3g, allowed %.3g %s", c.Name, c.What, c.Largest, c.Allowed, c.Why)
				case conformance.Unsupported:
					reasons[c.What+": "+c.Why]++
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(counts, reasons)
			if counts[conformance.OK] < least {
				t.Errorf("only %d comparisons", counts[conformance.OK])
			}
		})
	}
}
