package explain

import (
	"context"
	"fmt"
	"math"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// Shapley sampling (Castro et al. 2009; antithetic pairs, Mitchell et al. 2022): what players add when they join in a random
// order and in its reverse, averaged over pairs of orders. Every order is complete, so the mean is too. It stops when
// the 95 % interval of every share is narrower than a share of |F(x)-F(b)|, or when the budget is spent.
func init() {
	register(Method{
		ID: "shapley-sampling", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params: append(append(targetParams(), baselineParam()), append(groupParams(7), budgetParam(1024),
			Param{Name: "tolerance", Type: "float", Default: 0.05, Min: bound(0), Max: bound(1), Help: "explain.param.tolerance"})...),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			m := players(info, tokens, paramInt(params, "budget")/2, params)
			return spend(info, tokens, min(paramInt(params, "budget"), 40*m), 0) // twenty pairs of orders are usual
		},
		run: runShapleySampling,
	})
}

func runShapleySampling(ctx context.Context, p *Problem) (*Attribution, error) {
	budget := paramInt(p.Params, "budget")
	g, err := p.newGame(ctx, budget/2, fmt.Sprintf("one pair of orders needs two runs a group and the budget is %d: choose larger groups or a larger budget", budget))
	if err != nil {
		return nil, err
	}
	full, empty, err := g.ends(ctx)
	if err != nil {
		return nil, err
	}
	m := len(g.groups)
	tolerance, _ := p.Params["tolerance"].(float64)
	wanted := float64(tolerance * math.Abs(full-empty))
	d := metric.NewDraw(p.Seed, "shapley-sampling")
	mean, square := make([]float64, m), make([]float64, m)
	pairs, settled := 0, false
	for spent := 0; spent+2*m <= budget && !settled; spent += 2 * m {
		order := d.Permutation(m)
		gain, err := g.pair(ctx, order)
		if err != nil {
			return nil, err
		}
		pairs++
		for k, v := range gain {
			step := v - mean[k]
			mean[k] += step / float64(pairs)
			square[k] += float64(step * (v - mean[k]))
		}
		const fewest = 8
		settled = m == 1 || pairs >= fewest && within(square, pairs, wanted)
	}
	a := g.attribution(mean, full, empty)
	if !settled {
		a.Warnings = append(a.Warnings, WarnBudget)
	}
	return a, nil
}

// within says whether the 95 % interval of each mean is narrower than wanted on each side.
func within(square []float64, n int, wanted float64) bool {
	for _, s := range square {
		if 1.96*math.Sqrt(s/float64(n*(n-1))) > wanted {
			return false
		}
	}
	return true
}

// pair gives what each player adds, averaged over an order and its reverse.
func (g *game) pair(ctx context.Context, order []int) ([]float64, error) {
	m := len(order)
	var sets [][]bool
	for _, backwards := range []bool{false, true} {
		set := g.none()
		sets = append(sets, append([]bool(nil), set...))
		for i := range m {
			if backwards {
				i = m - 1 - i
			}
			set[order[i]] = true
			sets = append(sets, append([]bool(nil), set...))
		}
	}
	v, err := g.values(ctx, sets)
	if err != nil {
		return nil, err
	}
	gain := make([]float64, m)
	for i := range m {
		gain[order[i]] += (v[i+1] - v[i]) / 2
		gain[order[m-1-i]] += (v[m+2+i] - v[m+1+i]) / 2
	}
	return gain, nil
}
