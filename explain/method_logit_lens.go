package explain

import (
	"context"
	"slices"

	"vitrine/inference"
)

// Logit lens (nostalgebraist 2020): the model's own head reads the hidden states of an earlier layer. In the grid, row l
// and position t is F where the position that the head reads holds the hidden state of position t after layer l. A token's
// value is the last layer's F for it less F at the baseline: how far the answer is already written at its position.
func init() {
	register(Method{
		ID: "logit-lens", Version: "1", Family: "internal", Modalities: []string{"text"}, Signed: true,
		Params: gridParams(rowParam()), Suitable: deep,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 3+tokens/4, 0)
		},
		run: runLogitLens,
	})
}

func runLogitLens(ctx context.Context, p *Problem) (*Attribution, error) {
	taps := p.Info.Taps.Hidden
	if r := p.Info.Taps.Residual; r != "" { // the last norm belongs to the head: it reads the layer's states with their own mean and size
		taps = append(slices.Clone(taps[:len(taps)-1]), r)
	}
	ends, err := p.innerAt(ctx, taps, false)
	if err != nil {
		return nil, err
	}
	at, err := p.attentionRow(len(p.Example.IDs))
	if err != nil {
		return nil, err
	}
	last := taps[len(taps)-1]
	final := ends[0].Taps[last]
	t, d := final.Shape[0], final.Shape[1]
	rows := make([][]float64, len(taps))
	for l, tap := range taps {
		hidden := ends[0].Taps[tap].Data
		batch := make([]inference.Example, t)
		for i := range t {
			data := append([]float32(nil), final.Data...)
			copy(data[at*d:(at+1)*d], hidden[i*d:(i+1)*d])
			batch[i] = p.Example
			batch[i].Patch = map[string]inference.Tensor{last: {Shape: final.Shape, Data: data}}
		}
		if rows[l], err = p.values(ctx, batch); err != nil {
			return nil, err
		}
	}
	return p.onGrid(rows, ends, func(i int) float64 { return rows[len(rows)-1][i] - ends[1].Value }), nil
}
