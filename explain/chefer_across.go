package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// across are the relevance matrices of an encoder-decoder: source to source (T,T), target to target (S,S) and target to
// source (S,T).
type across struct{ ss, tt, ts matrix }

// matrix is a dense float64 matrix, row by row.
type matrix struct {
	rows, cols int
	v          []float64
}

func newMatrix(rows, cols int, unit bool) matrix {
	m := matrix{rows, cols, make([]float64, rows*cols)}
	for i := 0; unit && i < rows; i++ {
		m.v[i*cols+i] = 1
	}
	return m
}

func (a matrix) times(b matrix) matrix {
	out := newMatrix(a.rows, b.cols, false)
	for i := range a.rows {
		for k := range a.cols {
			for j := range b.cols {
				out.v[i*b.cols+j] += float64(a.v[i*a.cols+k] * b.v[k*b.cols+j])
			}
		}
	}
	return out
}

func (a matrix) plus(b matrix) matrix {
	out := newMatrix(a.rows, a.cols, false)
	for i := range a.v {
		out.v[i] = a.v[i] + b.v[i]
	}
	return out
}

func (a matrix) transposed() matrix {
	out := newMatrix(a.cols, a.rows, false)
	for i := range a.rows {
		for j := range a.cols {
			out.v[j*a.rows+i] = a.v[i*a.cols+j]
		}
	}
	return out
}

// residual takes the unit matrix off, divides each row by its sum, and puts the unit matrix back. 0/0 is 0, or stays as it is
// where the published code is to be followed.
func (a matrix) residual(reference bool) matrix {
	out := newMatrix(a.rows, a.cols, false)
	for i := range a.rows {
		total := 0.0
		for j := range a.cols {
			if total += a.v[i*a.cols+j]; i == j {
				total--
			}
		}
		for j := range a.cols {
			v := a.v[i*a.cols+j]
			if i == j {
				v--
			}
			if total != 0 || reference {
				out.v[i*a.cols+j] = v / total
			}
			if i == j {
				out.v[i*a.cols+j]++
			}
		}
	}
	return out
}

// runCheferAcross is the encoder-decoder rule (Chefer et al. 2021, §3.2): the encoder's relevance R_ss and the decoder's R_tt
// grow as in one stack, R_ts += Ā R_ts in the decoder's self-attention, and R_ts += N(R_tt)ᵀ Ā_cross N(R_ss) across, N being
// the row-normalised residual. Values are the source tokens' row of the position that predicts, and of a joint
// problem R_tt's row behind it.
func runCheferAcross(ctx context.Context, p *Problem) (*Attribution, error) {
	a, _, _, err := p.across(ctx)
	return a, err
}

// runAttentionAcross is a row of the attention from the decoder to what the encoder reads, beside the relevance.
func runAttentionAcross(ctx context.Context, p *Problem) (*Attribution, error) {
	relevant, r, row, err := p.across(ctx)
	if err != nil {
		return nil, err
	}
	var probs [][]float32
	var shape []int
	for _, tap := range p.Info.Taps.CrossAttentions {
		probs, shape = append(probs, r.Taps[tap].Data), r.Taps[tap].Shape
	}
	values, err := p.headRow(probs, shape[0], row, shape[1], shape[2])
	if err != nil {
		return nil, err
	}
	return &Attribution{Values: values, Shape: []int{len(values)}, Output: relevant.Output, BaselineOutput: relevant.BaselineOutput,
		Companion: relevant.Values[:len(values)], Attention: &inference.Tensor{Shape: append([]int{len(probs)}, shape...), Data: slices.Concat(probs...)}}, nil
}

// across is the relevance with the run that it was read from and the decoder's position.
func (p *Problem) across(ctx context.Context) (a *Attribution, run inference.Result, row int, err error) {
	t := p.Info.Taps
	var all []string
	for _, list := range [][]string{t.Attentions, t.DecoderAttentions, t.CrossAttentions} {
		all = append(all, list...)
	}
	out, err := p.run(ctx, []inference.Example{p.Example}, all, all)
	if err != nil {
		return nil, run, 0, err
	}
	fb, err := p.baselineValue(ctx)
	if err != nil {
		return nil, run, 0, err
	}
	r, err := relevanceAcross(t, out[0], p.Given != nil && p.Given.KeepNaN)
	if err != nil {
		return nil, run, 0, err
	}
	row = paramInt(p.Params, "row")
	if row < 0 {
		row = r.tt.rows - 1
		if at := p.Target.Index; len(at) == 2 && at[0] < 0 {
			row = max(0, r.tt.rows+at[0])
		}
	}
	if row >= r.tt.rows {
		return nil, run, 0, fmt.Errorf("explain: parameter row: %d where %d tokens are written: %w", row, r.tt.rows, ErrParam)
	}
	a = &Attribution{Values: append([]float64(nil), r.ts.v[row*r.ts.cols:(row+1)*r.ts.cols]...), Shape: []int{r.ts.cols}, Output: out[0].Value, BaselineOutput: fb}
	if p.Joint {
		a.Values = append(a.Values, r.tt.v[row*r.tt.cols:(row+1)*r.tt.cols]...)
		a.Shape = []int{len(a.Values)}
	}
	if p.Detail {
		a.Across = [][]float64{r.ss.v, r.tt.v, r.ts.v, r.tt.v[row*r.tt.cols : (row+1)*r.tt.cols]}
	}
	return a, out[0], row, nil
}

func relevanceAcross(t inference.Taps, r inference.Result, reference bool) (across, error) {
	bars := func(names []string) ([]matrix, error) {
		var list []matrix
		for _, name := range names {
			m, err := positivePart(r.Taps[name], r.Grads[name])
			if err != nil {
				return nil, err
			}
			list = append(list, m)
		}
		return list, nil
	}
	encoder, err := bars(t.Attentions)
	if err != nil {
		return across{}, err
	}
	decoder, err := bars(t.DecoderAttentions)
	if err != nil {
		return across{}, err
	}
	cross, err := bars(t.CrossAttentions)
	if err != nil || len(cross) != len(decoder) || len(encoder) == 0 || len(cross) == 0 {
		return across{}, fmt.Errorf("explain: %d layers of attention across for %d of the decoder: %w", len(cross), len(decoder), ErrUnsuitable)
	}
	source, target := cross[0].cols, cross[0].rows
	m := across{newMatrix(source, source, true), newMatrix(target, target, true), newMatrix(target, source, false)}
	for _, bar := range encoder {
		m.ss = m.ss.plus(bar.times(m.ss))
	}
	for l, bar := range decoder {
		m.tt, m.ts = m.tt.plus(bar.times(m.tt)), m.ts.plus(bar.times(m.ts))
		update := m.tt.residual(reference).transposed().times(cross[l]).times(m.ss.residual(reference))
		for i, v := range update.v {
			if v != v { // only the published code's 0/0
				update.v[i] = 0
			}
		}
		m.ts = m.ts.plus(update)
	}
	return m, nil
}

// positivePart is the mean over the heads of max(dF/dA·A, 0).
func positivePart(probs, grads inference.Tensor) (matrix, error) {
	if len(probs.Shape) != 3 || len(grads.Data) != len(probs.Data) {
		return matrix{}, fmt.Errorf("explain: attention of shape %v where (heads, positions, positions) is due: %w", probs.Shape, ErrUnsuitable)
	}
	h := probs.Shape[0]
	m := newMatrix(probs.Shape[1], probs.Shape[2], false)
	for i := range m.v {
		for k := range h {
			j := k*len(m.v) + i
			m.v[i] += max(0, float64(probs.Data[j])*float64(grads.Data[j]))
		}
		m.v[i] /= float64(h)
	}
	return m, nil
}
