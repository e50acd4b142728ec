package metric

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fractions of the units that are removed or kept.
var fractions = []float64{0.01, 0.05, 0.10, 0.20, 0.50}

// Fractions are the shares of the units that the removal figures remove or keep.
func Fractions() []float64 { return slices.Clone(fractions) }

// Count is how many of n units a fraction stands for: at least one.
func Count(fraction float64, n int) int {
	return max(1, int(math.Floor(fraction*float64(n)+1e-9)))
}

// Order ranks units: score descending, ties by position.
func Order(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return order
}

// Ranks says whether scores rank anything: at least two units, not all equal. Figures of a ranking are left out where they do
// not, for any order would do.
func Ranks(scores []float64) bool {
	return len(scores) > 1 && slices.ContainsFunc(scores, func(v float64) bool { return v != scores[0] })
}

// Removal scores a ranking by removing units (DeYoung et al. 2020, ERASER): step i is F(x) - F(x without the set),
// the figure (AOPC) the mean of the steps. For comprehensiveness the set is the first k units, for sufficiency all
// others.
type Removal struct {
	Subject   *Subject
	Mode      string
	Fractions []float64
	Rest      bool // remove everything but the first k (sufficiency)
}

// gone lists the units removed at a fraction, ascending.
func (r Removal) gone(order []int, fraction float64) []int {
	k := Count(fraction, len(order))
	set := slices.Clone(order[:k])
	if r.Rest {
		set = slices.Clone(order[k:])
	}
	slices.Sort(set)
	return set
}

// Steps gives F(x) - F(x without the set) per order and fraction. Equal sets run once.
func (r Removal) Steps(ctx context.Context, orders [][]int) ([][]float64, error) {
	sets := [][]int{{}}
	for _, order := range orders {
		for _, f := range r.Fractions {
			sets = append(sets, r.gone(order, f))
		}
	}
	values, err := r.Subject.values(ctx, r.Mode, sets)
	if err != nil {
		return nil, err
	}
	full, at := values[0], 1
	out := make([][]float64, len(orders))
	for i := range orders {
		for range r.Fractions {
			out[i] = append(out[i], full-values[at])
			at++
		}
	}
	return out, nil
}

// values runs the model on the sets that were not run before.
func (s *Subject) values(ctx context.Context, mode string, sets [][]int) ([]float64, error) {
	if s.cache == nil {
		s.cache = map[string]float64{}
	}
	keys := make([]string, len(sets))
	var fresh [][]int
	var freshKeys []string
	waiting := map[string]bool{}
	for i, set := range sets {
		keys[i] = key(mode, set)
		if _, ok := s.cache[keys[i]]; !ok && !waiting[keys[i]] {
			waiting[keys[i]] = true
			fresh, freshKeys = append(fresh, set), append(freshKeys, keys[i])
		}
	}
	if len(fresh) > 0 {
		got, err := s.Value(ctx, mode, fresh)
		if err != nil {
			return nil, err
		}
		if len(got) != len(fresh) {
			return nil, fmt.Errorf("metric: %d values for %d sets: %w", len(got), len(fresh), ErrSubject)
		}
		for i, k := range freshKeys {
			s.cache[k] = got[i]
		}
	}
	out := make([]float64, len(sets))
	for i, k := range keys {
		out[i] = s.cache[k]
	}
	return out, nil
}

func key(mode string, set []int) string {
	var b strings.Builder
	b.WriteString(mode)
	for _, u := range set {
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(u))
	}
	return b.String()
}

// removal computes the figure for every mode of the subject.
func removal(ctx context.Context, s *Subject, id string, higher, rest bool) ([]Figure, error) {
	if s.Value == nil || !Ranks(s.Scores) {
		return nil, nil
	}
	var out []Figure
	for _, mode := range s.Modes {
		d := NewDraw(s.Seed, "removal "+mode) // the same draws for both figures: their sets are shared
		orders := [][]int{Order(s.Scores)}
		for range s.Draws {
			orders = append(orders, d.Permutation(len(s.Scores)))
		}
		steps, err := (Removal{s, mode, fractions, rest}).Steps(ctx, orders)
		if err != nil {
			return nil, err
		}
		f := Figure{ID: id, Mode: mode, Value: mean(steps[0]), Higher: higher, Draws: s.Draws, Fractions: fractions, Steps: steps[0]}
		var control []float64
		asGood := 0
		for _, st := range steps[1:] {
			v := mean(st)
			control = append(control, v)
			if higher && v >= f.Value || !higher && v <= f.Value {
				asGood++
			}
		}
		f.Control, f.P = mean(control), share(asGood, s.Draws)
		f.Low, f.High = bootstrap(steps[0], NewDraw(s.Seed, "bootstrap "+id+" "+mode))
		out = append(out, f)
	}
	return out, nil
}
