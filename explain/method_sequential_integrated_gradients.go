package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// Sequential integrated gradients (Enguehard 2023): the path of one token at a time runs from its baseline to its word
// while all others stay as they are. The sum over tokens is not F(x)-F(b).
func init() {
	register(Method{
		ID: "sequential-integrated-gradients", Version: "1", Family: "gradient", Modalities: []string{"text"}, Signed: true,
		Params: append(targetParams(), baselineParam(),
			Param{Name: "steps", Type: "int", Default: 10, Min: bound(1), Max: bound(300), Help: "explain.param.steps"}),
		Suitable: differentiable,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			return spend(info, tokens, 2, max(1, tokens-2)*paramInt(params, "steps"))
		},
		run: runSequentialIG,
	})
}

func runSequentialIG(ctx context.Context, p *Problem) (*Attribution, error) {
	x, b, fx, fb, err := p.ends(ctx, false)
	if err != nil {
		return nil, err
	}
	rule, err := captumRule("gausslegendre", paramInt(p.Params, "steps"))
	if err != nil {
		return nil, err
	}
	l := p.inputLayout(len(x))
	var moving []int // tokens that differ from the baseline; the others' share is exactly 0
	for t := range l.units {
		if !slices.Equal(x[t*l.width:(t+1)*l.width], b[t*l.width:(t+1)*l.width]) {
			moving = append(moving, t)
		}
	}
	n := len(rule.nodes)
	point := func(i int) []float32 {
		t, a := moving[i/n], rule.nodes[i%n]
		out := slices.Clone(x)
		for j := range l.width {
			k := l.index(t, j)
			out[k] = float32(float64(b[k]) + float64(a*(float64(x[k])-float64(b[k]))))
		}
		return out
	}
	values := make([]float64, len(x))
	err = p.gradientsAt(ctx, len(moving)*n, point, func(i int, _ float64, g []float32) error {
		for j := range l.width {
			k := l.index(moving[i/n], j)
			values[k] += float64(float64(rule.weights[i%n]*(float64(x[k])-float64(b[k]))) * float64(g[k]))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("explain: sequential-integrated-gradients: %w", err)
	}
	a := p.reduce(l, values, "sum")
	a.Output, a.BaselineOutput = fx.Value, fb.Value
	return a, nil
}
