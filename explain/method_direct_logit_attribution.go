package explain

import (
	"context"

	"vitrine/inference"
)

// Direct logit attribution (Elhage et al. 2021): what each layer writes into the final hidden state, read by the head's
// slope there: (h_l - h_{l-1})·dF/dh_L, the embeddings being layer 0. Summed over layers and positions it is h_L·dF/dh_L,
// which is F less the head's bias where the head is linear; the gap is the delta. Of a decoder-only model the parts are the embeddings
// and what each layer's attention and feed-forward add to the residual sum at the position that predicts, read through the last norm
// with its scale frozen; its bias is in the delta too.
func init() {
	register(Method{
		ID: "direct-logit-attribution", Version: "1", Family: "internal", Modalities: []string{"text"}, Signed: true,
		Params: gridParams(), Suitable: deep,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 0, 2)
		},
		run: runDirectLogit,
	})
}

func runDirectLogit(ctx context.Context, p *Problem) (*Attribution, error) {
	if p.Info.Taps.Residual != "" {
		return runDirectParts(ctx, p)
	}
	ends, err := p.hiddenAt(ctx, true)
	if err != nil {
		return nil, err
	}
	taps := p.Info.Taps.Hidden
	slope := ends[0].Grads[taps[len(taps)-1]].Data
	t := len(p.Example.IDs)
	d := len(slope) / t
	rows := make([][]float64, len(taps))
	for l, tap := range taps {
		rows[l] = make([]float64, t)
		for i := range slope {
			v := float64(ends[0].Taps[tap].Data[i])
			if l > 0 {
				v -= float64(ends[0].Taps[taps[l-1]].Data[i])
			}
			rows[l][i/d] += float64(v * float64(slope[i]))
		}
	}
	g := Grid{Values: rows}
	return p.onGrid(rows, ends, g.column), nil
}
