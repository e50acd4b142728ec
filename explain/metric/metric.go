// Package metric measures how faithful an attribution is to the model it explains. Each figure comes with the same
// figure for random attributions of the same shape, and with a bootstrap interval.
package metric

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// ErrSubject: the subject lacks what a figure needs.
var ErrSubject = errors.New("nothing to measure")

// Figure is one faithfulness figure. Control is its mean over random attributions of the same shape; Low and High
// bound its 95 % bootstrap interval; P is the share of random draws at least as good (one added to both counts, so
// that it is never 0), nil where no draw was made.
type Figure struct {
	ID      string   `json:"id"`
	Mode    string   `json:"mode,omitempty"` // how units were removed: mask, pad, delete, baseline
	Value   float64  `json:"value"`
	Control float64  `json:"control"`
	Low     float64  `json:"low"`
	High    float64  `json:"high"`
	P       *float64 `json:"p,omitempty"`
	Higher  bool     `json:"higher"` // higher is better
	Draws   int      `json:"draws"`
	// Steps is the figure at each fraction removed, Fractions the fractions; empty where a figure has none.
	Fractions []float64 `json:"fractions,omitempty"`
	Steps     []float64 `json:"steps,omitempty"`
}

// Subject is an attribution to be measured. Units are what can be removed: the non-special tokens of a text, the
// patches of an image.
type Subject struct {
	Scores []float64 // per unit, higher speaks more for the target
	Modes  []string  // ways to remove units, the first is the default
	// Value runs the model with units removed, one result per set; nil leaves figures out that need it. The empty
	// set gives the unchanged input.
	Value func(ctx context.Context, mode string, gone [][]int) ([]float64, error)
	// Scalar gives the explained scalar itself with units at the baseline, one result per set; nil leaves infidelity out.
	Scalar func(ctx context.Context, gone [][]int) ([]float64, error)
	// Again explains n copies of the input with noise of the named radius on every value; nil where that costs too much.
	// Once are the values that it gave the unchanged input.
	Again  func(ctx context.Context, n int) ([][]float64, error)
	Once   []float64
	Signed bool
	// Curve asks for deletion and insertion curves, for pictures: mode "baseline" deletes, mode "blur" is what insertion
	// starts from.
	Curve bool
	// Others are the scores that other methods gave to the same units of the same input.
	Others [][]float64
	// Complete says that the attribution promises to sum to Output - BaselineOutput.
	Complete               bool
	All                    []float64 // every value of the attribution, special tokens included
	Output, BaselineOutput float64
	Seed                   uint64
	Draws                  int

	cache map[string]float64 // values by mode and set
}

// Metric is one registered figure; its id is permanent.
type Metric struct {
	ID     string
	Help   string // key of the text catalogue
	Higher bool
	// Stable says that the figure speaks of steadiness, not of faithfulness.
	Stable bool
	// Compute gives one figure per mode; none where the subject does not suit.
	Compute func(ctx context.Context, s *Subject) ([]Figure, error)
}

var metrics = map[string]Metric{}

// register adds a metric; each metric calls it from init() in its own file.
func register(m Metric) {
	if m.ID == "" || m.Compute == nil {
		panic("metric: register: incomplete metric " + m.ID)
	}
	if _, ok := metrics[m.ID]; ok {
		panic("metric: register: duplicate metric " + m.ID)
	}
	metrics[m.ID] = m
}

// Metrics lists the registered metrics, sorted by id.
func Metrics() []Metric {
	list := make([]Metric, 0, len(metrics))
	for _, m := range metrics {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Metric) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
