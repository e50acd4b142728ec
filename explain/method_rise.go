package explain

import (
	"context"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// RISE (Petsiuk et al. 2018): random coarse masks, enlarged bilinearly and shifted at random, mix the picture with the
// baseline; the map is Σ F(masked)·mask / (n·p). The masks follow from the seed.
func init() {
	register(Method{
		ID: "rise", Version: "1", Family: "perturbation", Modalities: []string{"image"}, Signed: true,
		Params: append(targetParams(), baselineParam(), samplesParam(512),
			Param{Name: "cells", Type: "int", Default: 7, Min: bound(2), Max: bound(32), Help: "explain.param.cells"},
			Param{Name: "keep", Type: "float", Default: 0.5, Min: bound(0.01), Max: bound(0.99), Help: "explain.param.keep"}),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			return spend(info, tokens, 2+paramInt(params, "samples"), 0)
		},
		run: runRISE,
	})
}

func runRISE(ctx context.Context, p *Problem) (*Attribution, error) {
	ends, err := p.values(ctx, []inference.Example{p.Example, p.baselineExample()})
	if err != nil {
		return nil, err
	}
	h, w := p.Example.Shape[1], p.Example.Shape[2]
	n, keep := paramInt(p.Params, "samples"), p.Params["keep"].(float64)
	d := metric.NewDraw(p.Seed, "rise")
	a := &Attribution{Values: make([]float64, h*w), Shape: []int{h, w}, Output: ends[0], BaselineOutput: ends[1]}
	for done := 0; done < n; {
		var batch []inference.Example
		var masks [][]float32
		for len(batch) < p.chunk() && done+len(batch) < n {
			m := riseMask(d, h, w, paramInt(p.Params, "cells"), keep)
			masks, batch = append(masks, m), append(batch, p.mixed(m))
		}
		values, err := p.values(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			for u, share := range masks[i] {
				a.Values[u] += float64(v*float64(share)) / (float64(n) * keep)
			}
		}
		done += len(batch)
	}
	return a, nil
}

// riseMask draws one mask (h,w) with values in [0,1].
func riseMask(d metric.Draw, h, w, cells int, keep float64) []float32 {
	coarse := inference.Tensor{Shape: []int{cells, cells}, Data: make([]float32, cells*cells)}
	for i := range coarse.Data {
		if d.Uniform() < keep {
			coarse.Data[i] = 1
		}
	}
	ch, cw := (h+cells-1)/cells, (w+cells-1)/cells
	large := Upsample(coarse, (cells+1)*ch, (cells+1)*cw)
	top, left := d.Below(ch), d.Below(cw)
	out := make([]float32, 0, h*w)
	for y := range h {
		from := (y+top)*large.Shape[1] + left
		out = append(out, large.Data[from:from+w]...)
	}
	return out
}

// mixed is the picture where the mask is 1 and the baseline where it is 0.
func (p *Problem) mixed(m []float32) inference.Example {
	pixels := make([]float32, len(p.Example.Pixels))
	for i := range pixels {
		b, share := float64(p.Baseline.Pixels[i]), float64(m[i%len(m)])
		pixels[i] = float32(b + float64(share*(float64(p.Example.Pixels[i])-b)))
	}
	return p.at(pixels)
}
