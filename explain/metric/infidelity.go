package metric

import "context"

// Infidelity (Yeh et al. 2019; Captum infidelity): the mean over perturbations of (φ·I - (F(x) - F(x-I)))². A perturbation
// puts a random half of the units at the baseline, so that φ·I is the sum of their values. "plain" takes the values as they
// are, "normalised" scales them by the factor that serves them best, and is the only one for methods without sign. Lower is
// better.
func init() {
	register(Metric{ID: "infidelity", Help: "explain.metric.infidelity", Higher: false, Compute: infidelity})
}

// perturbations is the number of perturbations of infidelity and sensitivity.
const perturbations = 10

func infidelity(ctx context.Context, s *Subject) ([]Figure, error) {
	if s.Scalar == nil || !Ranks(s.Scores) {
		return nil, nil
	}
	d := NewDraw(s.Seed, "infidelity")
	sets := [][]int{{}}
	for range perturbations {
		var set []int
		for u := range s.Scores {
			if d.Below(2) == 1 {
				set = append(set, u)
			}
		}
		sets = append(sets, set)
	}
	values, err := s.Scalar(ctx, sets)
	if err != nil {
		return nil, err
	}
	drops := make([]float64, perturbations)
	for i := range drops {
		drops[i] = values[0] - values[i+1]
	}
	orders := [][]int{nil}
	for range s.Draws {
		orders = append(orders, d.Permutation(len(s.Scores)))
	}
	modes := []string{"normalised"}
	if s.Signed {
		modes = []string{"plain", "normalised"}
	}
	var out []Figure
	for _, mode := range modes {
		f := Figure{ID: "infidelity", Mode: mode, Draws: s.Draws}
		var control []float64
		asGood := 0
		for k, order := range orders {
			terms := Infidelity(products(s.Scores, order, sets[1:]), drops, mode == "normalised")
			v := mean(terms)
			if k == 0 {
				f.Value = v
				f.Low, f.High = bootstrap(terms, NewDraw(s.Seed, "bootstrap infidelity "+mode))
				f.Low, f.High = min(f.Low, v), max(f.High, v)
				continue
			}
			control = append(control, v)
			if v <= f.Value {
				asGood++
			}
		}
		f.Control, f.P = mean(control), share(asGood, s.Draws)
		out = append(out, f)
	}
	return out, nil
}

// products sums the scores of each set, after shuffling them by order where there is one.
func products(scores []float64, order []int, sets [][]int) []float64 {
	out := make([]float64, len(sets))
	for i, set := range sets {
		for _, u := range set {
			if order != nil {
				u = order[u]
			}
			out[i] += scores[u]
		}
	}
	return out
}

// Infidelity gives (β·product - drop)² of each perturbation; β is 1, or normalised: Σ product·drop / Σ product².
func Infidelity(products, drops []float64, normalised bool) []float64 {
	beta := 1.0
	if normalised {
		pd, pp := 0.0, 0.0
		for i, p := range products {
			pd += float64(p * drops[i])
			pp += float64(p * p)
		}
		beta = 0
		if pp > 0 {
			beta = pd / pp
		}
	}
	out := make([]float64, len(products))
	for i, p := range products {
		d := float64(beta*p) - drops[i]
		out[i] = float64(d * d)
	}
	return out
}
