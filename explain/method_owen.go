package explain

import (
	"context"
	"fmt"
	"math"

	"vitrine/inference"
)

// Owen values (Owen 1977; the partition explainer of shap): Shapley values on a tree. The whole is divided among the halves
// of a balanced binary tree over the groups in reading order: a half gets the mean of what it adds alone and of what it
// adds after its sibling, within the context that the split came from. The node with the largest weighted change is
// opened first, ties by position, until the budget is spent; what is left unopened is divided evenly. The sum is always
// F(x)-F(b). With a budget that opens every node the values are exact Owen values.
func init() {
	const most = 4096
	register(Method{
		ID: "owen", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params:   append(append(targetParams(), baselineParam()), append(groupParams(14), budgetParam(512))...),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			m := players(info, tokens, most, params)
			return spend(info, tokens, min(paramInt(params, "budget"), m*m+2), 0)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			g, err := p.newGame(ctx, most, "choose larger groups")
			if err != nil {
				return nil, err
			}
			return g.owen(ctx, paramInt(p.Params, "budget"))
		},
	})
}

// part is a span of groups still to be divided: what it adds to a context of other groups, and its weight.
type part struct {
	lo, hi        int
	context       []bool
	before, after float64 // worth of the context without and with the span
	weight        float64
}

func (q part) size() float64 { return math.Abs(q.weight * (q.after - q.before)) }

func (g *game) owen(ctx context.Context, budget int) (*Attribution, error) {
	full, empty, err := g.ends(ctx)
	if err != nil {
		return nil, err
	}
	m := len(g.groups)
	shares := make([]float64, m)
	open := []part{{0, m, g.none(), empty, full, 1}}
	spent := false
	for len(open) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("explain: owen: %w", err)
		}
		best := 0
		for i, q := range open {
			if q.size() > open[best].size() {
				best = i
			}
		}
		q := open[best]
		open = append(open[:best], open[best+1:]...)
		spent = spent || q.hi-q.lo > 1 && len(g.worth)+2 > budget
		if q.hi-q.lo == 1 || spent {
			for k := q.lo; k < q.hi; k++ {
				shares[k] += float64(q.weight*(q.after-q.before)) / float64(q.hi-q.lo)
			}
			continue
		}
		more, err := g.split(ctx, q)
		if err != nil {
			return nil, err
		}
		open = append(open, more...)
	}
	a := g.attribution(shares, full, empty)
	if spent {
		a.Warnings = append(a.Warnings, WarnBudget)
	}
	return a, nil
}

// split divides a span between its halves, each alone and after the other.
func (g *game) split(ctx context.Context, q part) ([]part, error) {
	mid := (q.lo + q.hi) / 2
	with := func(lo, hi int) []bool {
		set := append([]bool(nil), q.context...)
		for k := lo; k < hi; k++ {
			set[k] = true
		}
		return set
	}
	left, right := with(q.lo, mid), with(mid, q.hi)
	v, err := g.values(ctx, [][]bool{left, right})
	if err != nil {
		return nil, err
	}
	w := q.weight / 2
	return []part{
		{q.lo, mid, q.context, q.before, v[0], w}, {q.lo, mid, right, v[1], q.after, w},
		{mid, q.hi, q.context, q.before, v[1], w}, {mid, q.hi, left, v[0], q.after, w},
	}, nil
}
