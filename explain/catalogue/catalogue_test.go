package catalogue

import (
	"strings"
	"testing"

	"vitrine/explain"
)

// TestEveryMethod: what is registered has an entry, and what has an entry is registered.
func TestEveryMethod(t *testing.T) {
	for _, id := range explain.IDs() {
		e, ok := Lookup(id)
		if !ok || e.Formula == "" || e.Source == "" || !strings.HasPrefix(e.URL, "https://") || len(e.Failures) == 0 {
			t.Errorf("%s: %+v", id, e)
		}
	}
	for id := range entries {
		if _, ok := explain.Lookup(id); !ok {
			t.Errorf("%s is not a method", id)
		}
	}
}
