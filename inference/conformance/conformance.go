// Package conformance compares the engine with golden references: values that
// other people's reference libraries computed, recorded in folders that hold
// cases.json or cases.jsonl.
package conformance

import (
	"context"
	"errors"
)

// Status of one comparison.
const (
	OK          = "ok"
	Fail        = "FAIL"
	Unsupported = "unsupported"
)

// Comparison is one line of the result.
type Comparison struct {
	Name    string  `json:"name"`    // folder and case: family/bert-qa/short
	What    string  `json:"what"`    // the value compared: logits, hidden_states.2
	Largest float64 `json:"largest"` // largest absolute difference
	Allowed float64 `json:"allowed"` // allowed difference at the element nearest to its limit
	Status  string  `json:"status"`  // ok | FAIL | unsupported
	Why     string  `json:"why,omitempty"`
}

// ErrFolder: DIR holds no golden folder, or the pattern matches none.
var ErrFolder = errors.New("no golden references found")

// Run finds every golden folder at or below dir and compares it. only, if not
// "", is matched by path.Match against the folder's path relative to dir. emit
// is called for each comparison, in order of folder and case.
func Run(ctx context.Context, dir, only string, emit func(Comparison)) error {
	return run(ctx, dir, only, emit)
}
