package explain

import (
	"context"

	"vitrine/inference"
)

// Feature ablation (Captum FeatureAblation): F(x) less F with one group at the baseline.
func init() {
	const most = 4096
	register(Method{
		ID: "feature-ablation", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true,
		Params:   append(append(targetParams(), baselineParam()), groupParams(14)...),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			return spend(info, tokens, 2+players(info, tokens, most, params), 0)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			g, err := p.newGame(ctx, most, "choose larger groups")
			if err != nil {
				return nil, err
			}
			sets := [][]bool{g.all(), g.none()}
			for k := range g.groups {
				set := g.all()
				set[k] = false
				sets = append(sets, set)
			}
			v, err := g.values(ctx, sets)
			if err != nil {
				return nil, err
			}
			shares := make([]float64, len(g.groups))
			for k := range shares {
				shares[k] = v[0] - v[2+k]
			}
			return g.attribution(shares, v[0], v[1]), nil
		},
	})
}

// anyModel is the condition of methods that only run the model.
func anyModel(inference.Info) error { return nil }
