package explain

import (
	"context"

	"vitrine/inference"
)

// Activation patching (Vig et al. 2020; Meng et al. 2022): the model runs on the baseline, and one position of one layer's hidden
// states (or of what its attention or feed-forward adds to them, of a decoder) is written over with what it is on the input; the grid holds how far F rises from F(b). A token's value is the
// mean over the layers.
func init() {
	register(Method{
		ID: "activation-patching", Version: "1", Family: "internal", Modalities: []string{"text"}, Signed: true,
		Params: gridParams(siteParam()), Suitable: deep,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 2+tokens*max(1, info.Layers)/2, 0)
		},
		run: runActivationPatching,
	})
}

func runActivationPatching(ctx context.Context, p *Problem) (*Attribution, error) {
	taps, err := p.site()
	if err != nil {
		return nil, err
	}
	ends, err := p.innerAt(ctx, taps, false)
	if err != nil {
		return nil, err
	}
	rows := make([][]float64, len(taps))
	for l, tap := range taps {
		clean, base := ends[0].Taps[tap], ends[1].Taps[tap]
		d := clean.Shape[1]
		rows[l], err = p.patched(ctx, p.baselineExample(), tap, base, func(t int) []float32 { return clean.Data[t*d : (t+1)*d] })
		if err != nil {
			return nil, err
		}
		for t := range rows[l] {
			rows[l][t] -= ends[1].Value
		}
	}
	g := Grid{Values: rows}
	return p.onGrid(rows, ends, func(t int) float64 { return g.column(t) / float64(len(rows)) }), nil
}
