package explain

import (
	"context"
	"fmt"
	"strconv"

	"vitrine/inference"
)

// Parts are what is added up to the residual sum of a decoder-only model, (T,D) each: the embeddings, then each layer's attention and
// feed-forward. Read[t] is the linear map that the last norm is at position t with its scale frozen: of a part c it gives
// Gain·(c - mean(c) if Centred)/Scale[t], less the norm's Bias.
type Parts struct {
	Names      []string
	Values     []inference.Tensor
	Gain, Bias []float64
	Scale      []float64
	Centred    bool
}

// ReadParts runs the example once for its parts, and the last norm on three vectors that show what it does: zeros give its bias,
// ones whether it takes the mean off, and ones of alternating sign its gain.
func ReadParts(ctx context.Context, e Engine, x inference.Example, threads int) (*Parts, error) {
	taps := e.Info().Taps
	last := taps.Hidden[len(taps.Hidden)-1]
	want := []string{taps.Embeddings, taps.Hidden[0], taps.Residual, last}
	for l := range taps.Attended {
		want = append(want, taps.Attended[l], taps.Fed[l])
	}
	out, err := e.Run(ctx, []inference.Example{x}, inference.RunSpec{Taps: want, Threads: threads})
	if err != nil {
		return nil, err
	}
	found := out[0].Taps
	sum := found[taps.Residual]
	if len(sum.Shape) != 2 || sum.Shape[1]%2 != 0 || len(found[last].Data) != len(sum.Data) {
		return nil, fmt.Errorf("explain: a residual sum of shape %v where (tokens, an even width) is due: %w", sum.Shape, ErrUnsuitable)
	}
	p := &Parts{}
	p.add("word_embedding", found[taps.Embeddings])
	place, some := difference(found[taps.Hidden[0]], found[taps.Embeddings])
	if some {
		p.add("position_embedding", place)
	}
	for l := range taps.Attended {
		p.add("attention."+strconv.Itoa(l), found[taps.Attended[l]])
		p.add("mlp."+strconv.Itoa(l), found[taps.Fed[l]])
	}
	return p, p.probe(ctx, e, x, sum, found[last], threads)
}

func (p *Parts) add(name string, v inference.Tensor) {
	p.Names, p.Values = append(p.Names, name), append(p.Values, v)
}

func difference(a, b inference.Tensor) (d inference.Tensor, some bool) {
	d = inference.Tensor{Shape: a.Shape, Data: make([]float32, len(a.Data))}
	for i := range d.Data {
		d.Data[i] = a.Data[i] - b.Data[i]
		some = some || d.Data[i] != 0
	}
	return d, some
}

// probe finds the last norm's bias, gain and scales.
func (p *Parts) probe(ctx context.Context, e Engine, x inference.Example, sum, normed inference.Tensor, threads int) error {
	taps := e.Info().Taps
	last, d := taps.Hidden[len(taps.Hidden)-1], sum.Shape[1]
	batch := make([]inference.Example, 3)
	for k := range batch {
		v := inference.Tensor{Shape: sum.Shape, Data: make([]float32, len(sum.Data))}
		for i := range v.Data {
			switch {
			case k == 1 || k == 2 && i%2 == 0:
				v.Data[i] = 1
			case k == 2:
				v.Data[i] = -1
			}
		}
		batch[k] = x
		batch[k].Patch = map[string]inference.Tensor{taps.Residual: v}
	}
	out, err := e.Run(ctx, batch, inference.RunSpec{Taps: []string{last}, Threads: threads})
	if err != nil {
		return err
	}
	zeros, ones, signs := out[0].Taps[last].Data, out[1].Taps[last].Data, out[2].Taps[last].Data
	p.Centred = true
	for j := range d {
		p.Bias = append(p.Bias, float64(zeros[j]))
		p.Gain = append(p.Gain, (float64(signs[j])-float64(zeros[j]))*float64(1-2*(j%2)))
		p.Centred = p.Centred && ones[j] == zeros[j]
	}
	for t := range sum.Shape[0] {
		row := p.centre(widen(sum.Data[t*d : (t+1)*d]))
		above, below := 0.0, 0.0
		for j, v := range row {
			n := float64(normed.Data[t*d+j]) - p.Bias[j]
			above += float64(float64(p.Gain[j]*v) * n)
			below += float64(n * n)
		}
		if below == 0 {
			return fmt.Errorf("explain: the last norm gives nothing at position %d: %w", t, ErrUnsuitable)
		}
		p.Scale = append(p.Scale, above/below)
	}
	return nil
}

func (p *Parts) centre(v []float64) []float64 {
	if p.Centred {
		mean := sum(v) / float64(len(v))
		for j := range v {
			v[j] -= mean
		}
	}
	return v
}

// Direct is what part k contributes at position t to a scalar whose slope behind the last norm is slope (D).
func (p *Parts) Direct(k, t int, slope []float64) float64 {
	d, total := len(p.Gain), 0.0
	for j, v := range p.centre(widen(p.Values[k].Data[t*d : (t+1)*d])) {
		total += float64(float64(p.Gain[j]*v) * slope[j])
	}
	return total / p.Scale[t]
}

// runDirectParts credits each part at the position that predicts.
func runDirectParts(ctx context.Context, p *Problem) (*Attribution, error) {
	parts, err := ReadParts(ctx, p.Engine, p.Example, p.Threads)
	if err != nil {
		return nil, err
	}
	taps := p.Info.Taps.Hidden
	last := taps[len(taps)-1]
	ends, err := p.run(ctx, []inference.Example{p.Example, p.baselineExample()}, nil, []string{last})
	if err != nil {
		return nil, err
	}
	slope := ends[0].Grads[last].Data
	t, d := len(p.Example.IDs), len(parts.Gain)
	rows := make([][]float64, len(parts.Names))
	for k := range rows {
		rows[k] = make([]float64, t)
		for i := range t {
			if row := widen(slope[i*d : (i+1)*d]); !zero(row) {
				rows[k][i] = parts.Direct(k, i, row)
			}
		}
	}
	g := Grid{Values: rows}
	a := p.onGrid(rows, ends, g.column)
	a.Grid.Rows = parts.Names
	return a, nil
}

func zero(v []float64) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
