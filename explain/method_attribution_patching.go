package explain

import (
	"context"

	"vitrine/inference"
)

// Attribution patching (Nanda 2023): activation patching to first order, by one gradient at the baseline:
// (h_l(x) - h_l(b))·dF/dh_l(b), summed over the width.
func init() {
	register(Method{
		ID: "attribution-patching", Version: "1", Family: "internal", Modalities: []string{"text"}, Signed: true,
		Params: gridParams(siteParam()), Suitable: deep,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 0, 2)
		},
		run: runAttributionPatching,
	})
}

func runAttributionPatching(ctx context.Context, p *Problem) (*Attribution, error) {
	taps, err := p.site()
	if err != nil {
		return nil, err
	}
	ends, err := p.innerAt(ctx, taps, true)
	if err != nil {
		return nil, err
	}
	t := len(p.Example.IDs)
	rows := make([][]float64, len(taps))
	for l, tap := range taps {
		x, b, g := ends[0].Taps[tap].Data, ends[1].Taps[tap].Data, ends[1].Grads[tap].Data
		d := len(x) / t
		rows[l] = make([]float64, t)
		for i := range x {
			rows[l][i/d] += float64((float64(x[i]) - float64(b[i])) * float64(g[i]))
		}
	}
	g := Grid{Values: rows}
	return p.onGrid(rows, ends, func(t int) float64 { return g.column(t) / float64(len(rows)) }), nil
}
