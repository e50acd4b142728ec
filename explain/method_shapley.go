package explain

import (
	"context"

	"vitrine/inference"
)

// maxExact is the number of players up to which every coalition is run: 2^12 runs.
const maxExact = 12

// Exact Shapley values (Shapley 1953; Captum ShapleyValues): the share of a player is the mean over all orders of what its
// joining adds, computed from all 2^M coalitions with the weights |S|!(M-|S|-1)!/M!.
func init() {
	register(Method{
		ID: "shapley", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params:   append(append(targetParams(), baselineParam()), groupParams(3)...),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			return spend(info, tokens, 1<<players(info, tokens, maxExact, params), 0)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			g, err := p.newGame(ctx, maxExact, "group by word or sentence (pictures: a smaller grid), or choose shapley-sampling")
			if err != nil {
				return nil, err
			}
			m := len(g.groups)
			v, err := g.values(ctx, coalitions(m))
			if err != nil {
				return nil, err
			}
			a := g.attribution(exactShares(m, v), v[len(v)-1], v[0])
			if p.Detail {
				a.Detail = v
			}
			return a, nil
		},
	})
}

// coalitions lists all 2^m sets; player k is present in set i where bit m-1-k of i is set.
func coalitions(m int) [][]bool {
	out := make([][]bool, 1<<m)
	for i := range out {
		out[i] = make([]bool, m)
		for k := range m {
			out[i][k] = i>>(m-1-k)&1 == 1
		}
	}
	return out
}

func exactShares(m int, v []float64) []float64 {
	weights := make([]float64, m) // by the size of the set without the player
	for s := range weights {
		weights[s] = 1 / (float64(m) * choose(m-1, s))
	}
	shares := make([]float64, m)
	for i := range v {
		size := 0
		for k := range m {
			size += i >> k & 1
		}
		for k := range m {
			if bit := 1 << (m - 1 - k); i&bit == 0 {
				shares[k] += float64(weights[size] * (v[i|bit] - v[i]))
			}
		}
	}
	return shares
}

// choose is the binomial coefficient.
func choose(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return c
}
