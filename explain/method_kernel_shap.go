package explain

import (
	"context"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// maxFitted is the number of players up to which a linear model is fitted.
const maxFitted = 512

// KernelSHAP (Lundberg & Lee 2017; Captum KernelShap): a linear model over coalitions, fitted with the weights
// (M-1)/(C(M,s)·s·(M-s)), where the full and the empty coalition weigh 10^6. All coalitions are run where the budget
// holds them; otherwise sizes are drawn by their weight, each set with its complement, and drawn sets weigh 1.
func init() {
	register(Method{
		ID: "kernel-shap", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params:   append(append(targetParams(), baselineParam()), append(groupParams(7), budgetParam(1024))...),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			runs := paramInt(params, "budget")
			if m := players(info, tokens, maxFitted, params); m < 16 {
				runs = min(runs, 1<<m)
			}
			return spend(info, tokens, runs, 0)
		},
		run: runKernelSHAP,
	})
}

const endWeight = 1e6

func runKernelSHAP(ctx context.Context, p *Problem) (*Attribution, error) {
	g, err := p.newGame(ctx, maxFitted, "choose larger groups")
	if err != nil {
		return nil, err
	}
	full, empty, err := g.ends(ctx)
	if err != nil {
		return nil, err
	}
	m := len(g.groups)
	budget := paramInt(p.Params, "budget")
	var sets [][]bool
	sampled := false
	switch {
	case p.Given != nil && p.Given.Masks != nil:
		sets, sampled = p.Given.Masks, true
	case m < 17 && 1<<m <= budget:
		sets = coalitions(m)
	default:
		sets, sampled = append(drawCoalitions(m, budget-2, p.Seed), g.all(), g.none()), true
	}
	values, err := g.values(ctx, sets)
	if err != nil {
		return nil, err
	}
	weights := make([]float64, len(sets))
	for i, set := range sets {
		switch s := count(set); {
		case s == 0 || s == m:
			weights[i] = endWeight
		case sampled:
			weights[i] = 1
		default:
			weights[i] = kernelWeight(m, s)
		}
	}
	shares, err := fitLinear(sets, values, weights, 0)
	if err != nil {
		return nil, err
	}
	return g.attribution(shares, full, empty), nil
}

// kernelWeight is the Shapley kernel for a set of s of m players.
func kernelWeight(m, s int) float64 {
	return float64(m-1) / (choose(m, s) * float64(s) * float64(m-s))
}

func count(set []bool) int {
	n := 0
	for _, v := range set {
		n += btoi(v)
	}
	return n
}

// drawCoalitions draws n sets, each followed by its complement: the size by the kernel's total weight of that size,
// (M-1)/(s(M-s)), the members at random.
func drawCoalitions(m, n int, seed uint64) [][]bool {
	d := metric.NewDraw(seed, "kernel-shap")
	upTo := make([]float64, m) // cumulative weight of sizes 1..m-1
	for s := 1; s < m; s++ {
		upTo[s] = upTo[s-1] + float64(m-1)/float64(s*(m-s))
	}
	var out [][]bool
	for len(out) < n && m > 1 {
		u, size := d.Uniform()*upTo[m-1], 1
		for size < m-1 && upTo[size] < u {
			size++
		}
		set, rest := make([]bool, m), make([]bool, m)
		for i, k := range d.Permutation(m) {
			set[k], rest[k] = i < size, i >= size
		}
		out = append(out, set, rest)
	}
	return out
}
