package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// Raw attention heads. The attribution is one row of one layer, averaged over heads unless one is named. Attention
// is not an explanation by itself (Jain & Wallace 2019): it always comes with a gradient-weighted view.
func init() {
	register(Method{
		ID: "attention", Version: "1", Family: "attention", Modalities: []string{"text", "image"},
		Params: append(targetParams(), baselineParam(),
			Param{Name: "layer", Type: "int", Default: -1, Min: bound(-1), Max: bound(1000), Help: "explain.param.layer"},
			Param{Name: "head", Type: "int", Default: -1, Min: bound(-1), Max: bound(1000), Help: "explain.param.head"},
			rowParam()),
		Suitable: attentive,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runAttention,
	})
}

// rowParam chooses the row of the attention matrix: the position whose view is shown.
func rowParam() Param {
	return Param{Name: "row", Type: "int", Default: -1, Min: bound(-1), Max: bound(100000), Help: "explain.param.row"}
}

// attentive is the condition of the attention family.
func attentive(info inference.Info) error {
	if len(info.Taps.Attentions) == 0 {
		return fmt.Errorf("explain: %s has no attention: choose a gradient or perturbation method: %w", info.Name, ErrUnsuitable)
	}
	return nil
}

// heads holds the attention probabilities of one example and, if asked for, their gradients: per layer (H,T,T).
type heads struct {
	h, t             int
	probs, gradients [][]float32
	fx, fb           float64
	row              int
}

// attentions runs the example and the baseline. The row is the parameter's, or by default the first position (the
// one a sequence classifier reads), or the explained token.
func (p *Problem) attentions(ctx context.Context, gradients bool) (*heads, error) {
	taps := p.Info.Taps.Attentions
	var wrt []string
	if gradients {
		wrt = taps
	}
	out, err := p.run(ctx, []inference.Example{p.Example}, taps, wrt)
	if err != nil {
		return nil, err
	}
	a := &heads{fx: out[0].Value}
	for _, tap := range taps {
		probs, grad := out[0].Taps[tap], out[0].Grads[tap]
		if len(probs.Shape) != 3 || probs.Shape[1] != probs.Shape[2] || len(probs.Data) != probs.Shape[0]*probs.Shape[1]*probs.Shape[2] {
			return nil, fmt.Errorf("explain: attention of shape %v where (heads, tokens, tokens) is due: %w", probs.Shape, ErrUnsuitable)
		}
		if gradients && len(grad.Data) != len(probs.Data) {
			return nil, fmt.Errorf("explain: %d attention gradients for %d probabilities: %w", len(grad.Data), len(probs.Data), ErrUnsuitable)
		}
		if a.t != 0 && (probs.Shape[0] != a.h || probs.Shape[1] != a.t) {
			return nil, fmt.Errorf("explain: layers with attentions of different shapes: %w", ErrUnsuitable)
		}
		a.h, a.t = probs.Shape[0], probs.Shape[1]
		a.probs = append(a.probs, probs.Data)
		a.gradients = append(a.gradients, grad.Data)
	}
	if a.row, err = p.attentionRow(a.t); err != nil {
		return nil, err
	}
	a.fb, err = p.baselineValue(ctx)
	return a, err
}

func (p *Problem) attentionRow(t int) (int, error) {
	row := paramInt(p.Params, "row")
	if row >= t {
		return 0, fmt.Errorf("explain: parameter row: %d where the text has %d positions: %w", row, t, ErrParam)
	}
	if row >= 0 {
		return row, nil
	}
	if inference.WritesTexts(p.Info.Task) { // the position that the explained word is predicted at
		if row = t - 1; len(p.Target.Index) == 2 && p.Target.Index[0] < 0 {
			row = max(0, t+p.Target.Index[0])
		}
		return row, nil
	}
	if p.Info.Task == "token-classification" && len(p.Target.Index) == 2 {
		return p.Target.Index[0], nil
	}
	return 0, nil
}

func runAttention(ctx context.Context, p *Problem) (*Attribution, error) {
	if len(p.Info.Taps.CrossAttentions) > 0 {
		return runAttentionAcross(ctx, p)
	}
	a, err := p.attentions(ctx, true)
	if err != nil {
		return nil, err
	}
	values, err := p.headRow(a.probs, a.h, a.row, a.t, a.t)
	if err != nil {
		return nil, err
	}
	found := p.overTokens(values, a.relevanceRow(), a)
	found.Attention = &inference.Tensor{Shape: []int{len(a.probs), a.h, a.t, a.t}, Data: slices.Concat(a.probs...)}
	return found, nil
}

// headRow is one row of a layer's maps (H,rows,cols), of the head that is named or averaged over all.
func (p *Problem) headRow(probs [][]float32, heads, row, rows, cols int) ([]float64, error) {
	layer, head := paramInt(p.Params, "layer"), paramInt(p.Params, "head")
	if layer >= len(probs) || head >= heads {
		return nil, fmt.Errorf("explain: layer %d, head %d: the model has %d layers with %d heads: %w", layer, head, len(probs), heads, ErrParam)
	}
	if layer < 0 {
		layer = len(probs) - 1
	}
	values := make([]float64, cols)
	for j := range values {
		if head >= 0 {
			values[j] = float64(probs[layer][(head*rows+row)*cols+j])
			continue
		}
		for h := range heads {
			values[j] += float64(probs[layer][(h*rows+row)*cols+j])
		}
		values[j] /= float64(heads)
	}
	return values, nil
}

// overTokens makes an attribution of one value a position, with the gradient-weighted view beside it. Of a picture the
// positions are a class token, which is left out, and patches.
func (p *Problem) overTokens(values, companion []float64, a *heads) *Attribution {
	out := &Attribution{Values: values, Shape: []int{a.t}, Output: a.fx, BaselineOutput: a.fb, Companion: companion}
	if p.image() {
		if h, w := patches(a.t-1, p.Example.Shape); h > 0 {
			out.Values, out.Shape, out.Companion = values[1:], []int{h, w}, nil
		} else {
			out.Shape = []int{1, a.t}
		}
	}
	return out
}
