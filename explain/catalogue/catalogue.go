// Package catalogue says of every registered explanation method what a reader must know to choose and to judge it: its
// formula, where it comes from, and how it is known to fail. Words for people stand in the console's catalogues; this
// package holds what is the same in every language.
package catalogue

import (
	_ "embed"
	"encoding/json"
	"slices"
)

// Entry is what is known of one method beyond its registration.
type Entry struct {
	Formula  string   `json:"formula"`
	Source   string   `json:"source"` // the paper or program that the definition follows
	URL      string   `json:"url"`
	Failures []string `json:"failures"` // of Failures
}

// Failures are the known ways to fail, a closed list.
var Failures = []string{"approximation", "baseline", "class-blind", "coarse", "cost", "inner", "interaction", "local-fit", "model-independent", "noise",
	"not-cause", "off-manifold", "sampling", "saturation", "unnatural", "unsigned"}

//go:embed catalogue.json
var raw []byte

var entries = read()

func read() map[string]Entry {
	var out map[string]Entry
	if err := json.Unmarshal(raw, &out); err != nil {
		panic("catalogue: " + err.Error())
	}
	for id, e := range out {
		for _, f := range e.Failures {
			if !slices.Contains(Failures, f) {
				panic("catalogue: " + id + " names the unknown failure " + f)
			}
		}
	}
	return out
}

// Lookup returns the entry of a method.
func Lookup(method string) (Entry, bool) {
	e, ok := entries[method]
	return e, ok
}
