package metric

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// linear is a subject whose value is the sum of the weights of the units that are left.
func linear(weights, scores []float64, draws int) (*Subject, *int) {
	runs := 0
	total := 0.0
	for _, w := range weights {
		total += w
	}
	return &Subject{Scores: scores, All: scores, Once: scores, Modes: []string{"mask"}, Output: total, Seed: 5, Draws: draws,
		Signed: true, Curve: true, Others: [][]float64{weights, weights},
		Scalar: func(_ context.Context, gone [][]int) ([]float64, error) {
			out := make([]float64, len(gone))
			for i, set := range gone {
				out[i] = total
				for _, u := range set {
					out[i] -= weights[u]
				}
			}
			return out, nil
		},
		Again: func(_ context.Context, n int) ([][]float64, error) {
			out := make([][]float64, n)
			for i := range out {
				for k, v := range scores {
					out[i] = append(out[i], v+0.001*float64((i+k)%3))
				}
			}
			return out, nil
		},
		Value: func(_ context.Context, mode string, gone [][]int) ([]float64, error) {
			out := make([]float64, len(gone))
			for i, set := range gone {
				runs++
				out[i] = total
				for _, u := range set {
					out[i] -= weights[u]
				}
			}
			return out, nil
		}}, &runs
}

var weights = []float64{0.5, -0.2, 0.1, 0.9, 0, 0.3, -0.4, 0.2, 0.05, 0.6}

// TestMetrics holds every registered figure to its contract: a faithful ranking beats the random control, the
// reversed one does not, numbers are finite, and equal subjects give equal bits.
func TestMetrics(t *testing.T) {
	if len(Metrics()) < 3 {
		t.Fatalf("only %d metrics", len(Metrics()))
	}
	ctx := context.Background()
	for _, m := range Metrics() {
		t.Run(m.ID, func(t *testing.T) {
			good, _ := linear(weights, weights, 99)
			first, err := m.Compute(ctx, good)
			if err != nil || len(first) < 1 {
				t.Fatalf("%d figures, %v", len(first), err)
			}
			again, _ := linear(weights, weights, 99)
			second, _ := m.Compute(ctx, again)
			if !reflect.DeepEqual(first, second) {
				t.Errorf("not repeatable: %+v %+v", first, second)
			}
			f := first[0]
			if f.ID != m.ID || f.Higher != m.Higher || f.Draws != min(99, wanted(m.ID)) || f.P == nil || *f.P > 0.12 {
				t.Errorf("a faithful attribution: %+v", f)
			}
			if f.Higher == (f.Value < f.Control) && f.Value != f.Control {
				t.Errorf("value %v against control %v", f.Value, f.Control)
			}
			if !(f.Low <= f.Value && f.Value <= f.High) {
				t.Errorf("interval %+v", f)
			}
			reversed := make([]float64, len(weights))
			for i, w := range weights {
				reversed[i] = -w
			}
			bad, _ := linear(weights, reversed, 99)
			worse, err := m.Compute(ctx, bad)
			if err != nil || worse[0].P == nil || *worse[0].P < 0.5 && !m.Stable {
				t.Errorf("a reversed attribution: %+v, %v", worse, err)
			}
			none, _ := linear(weights, weights, 0)
			if bare, err := m.Compute(ctx, none); err != nil || bare[0].P != nil || math.IsNaN(bare[0].Control) {
				t.Errorf("without draws: %+v, %v", bare, err)
			}
			if got, err := m.Compute(ctx, &Subject{}); err != nil || len(got) != 0 {
				t.Errorf("an empty subject gives %+v, %v", got, err)
			}
			if m.Help != "explain.metric."+m.ID {
				t.Errorf("help key %q", m.Help)
			}
		})
	}
}

// wanted is the most random draws that a figure makes.
func wanted(id string) int {
	if strings.HasSuffix(id, "-auc") {
		return curveDraws
	}
	return 99
}

// By hand: fractions of 10 units remove 1, 1, 1, 2 and 5.
func TestRemovalByHand(t *testing.T) {
	s, runs := linear(weights, weights, 0)
	order := Order(s.Scores)
	if want := []int{3, 9, 0, 5, 7, 2, 8, 4, 1, 6}; !slices.Equal(order, want) {
		t.Fatalf("order %v", order)
	}
	steps, err := Removal{s, "mask", Fractions(), false}.Steps(context.Background(), [][]int{order})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.9, 0.9, 0.9, 1.5, 2.5} {
		if math.Abs(steps[0][i]-want) > 1e-12 {
			t.Errorf("step %d is %v, want %v", i, steps[0][i], want)
		}
	}
	if *runs != 4 { // nothing removed, 1, 2, 5: equal sets run once
		t.Errorf("%d runs", *runs)
	}
}

func TestOrderTies(t *testing.T) {
	if got := Order([]float64{1, 2, 2, 1, 3}); !slices.Equal(got, []int{4, 1, 2, 0, 3}) {
		t.Error(got)
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		f       float64
		n, want int
	}{{0.01, 3, 1}, {0.1, 10, 1}, {0.2, 10, 2}, {0.3, 10, 3}, {0.5, 7, 3}, {0.1, 30, 3}, {0.5, 1, 1}} {
		if got := Count(c.f, c.n); got != c.want {
			t.Errorf("%v of %d: %d, want %d", c.f, c.n, got, c.want)
		}
	}
}

// The draws are fixed for ever: a record names only the seed.
func TestDrawsFrozen(t *testing.T) {
	if got := NewDraw(7, "removal mask").Permutation(8); !slices.Equal(got, []int{5, 1, 4, 0, 7, 2, 3, 6}) {
		t.Errorf("%v", got)
	}
	counts := make([]int, 5)
	d := NewDraw(1, "x")
	for range 5000 {
		counts[d.Below(5)]++
	}
	for _, n := range counts {
		if n < 900 || n > 1100 {
			t.Errorf("not uniform: %v", counts)
		}
	}
}

func TestValueErrors(t *testing.T) {
	s, _ := linear(weights, weights, 2)
	s.Value = func(context.Context, string, [][]int) ([]float64, error) { return []float64{1}, nil }
	if _, err := removal(context.Background(), s, "comprehensiveness", true, false); !errors.Is(err, ErrSubject) {
		t.Error(err)
	}
}
