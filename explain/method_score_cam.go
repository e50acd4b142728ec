package explain

import (
	"context"
	"math"

	"vitrine/inference"
)

// Score-CAM (Wang et al. 2020; pytorch-grad-cam): each channel, enlarged to the picture (corners aligned) and brought to
// [0,1], masks the picture; the softmax over channels of the outputs weighs the maps.
func init() {
	register(Method{
		ID: "score-cam", Version: "1", Family: "cam", Modalities: []string{"image"}, Signed: true,
		Params: camParams(), Suitable: mapped,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 2+max(1, info.Hidden), 0)
		},
		run: runScoreCAM,
	})
}

func runScoreCAM(ctx context.Context, p *Problem) (*Attribution, error) {
	m, err := p.featureMaps(ctx, false)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, 0, m.channels)
	for len(scores) < m.channels {
		var batch []inference.Example
		for len(batch) < p.chunk() && len(scores)+len(batch) < m.channels {
			batch = append(batch, p.mixed(m.channelMask(len(scores)+len(batch), p.Example.Shape)))
		}
		values, err := p.values(ctx, batch)
		if err != nil {
			return nil, err
		}
		scores = append(scores, values...)
	}
	top, total := math.Inf(-1), 0.0
	for _, v := range scores {
		top = max(top, v)
	}
	for c, v := range scores {
		scores[c] = portable(math.Exp(v - top))
		total += scores[c]
	}
	for c := range scores {
		scores[c] /= total
	}
	return m.weighed(scores), nil
}

// channelMask is a channel at the picture's size, in [0,1].
func (m *activations) channelMask(c int, picture []int) []float32 {
	h, w := m.layout.shape[0], m.layout.shape[1]
	small := make([]float64, h*w)
	for i := range small {
		small[i] = m.a[m.layout.index(i, c)]
	}
	large := alignedCorners(small, h, w, picture[1], picture[2])
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range large {
		low, high = min(low, v), max(high, v)
	}
	out := make([]float32, len(large))
	for i, v := range large {
		out[i] = float32((v - low) / (high - low + 1e-8))
	}
	return out
}

// alignedCorners enlarges a map with bilinear interpolation between corner centres (torch's align_corners=True).
func alignedCorners(m []float64, h, w, height, width int) []float64 {
	place := func(i, from, to int) (lo, hi int, f float64) {
		if to == 1 || from == 1 {
			return 0, 0, 0
		}
		at := float64(i) * float64(from-1) / float64(to-1)
		lo = min(int(at), from-1)
		return lo, min(lo+1, from-1), at - float64(lo)
	}
	out := make([]float64, height*width)
	for y := range height {
		y0, y1, fy := place(y, h, height)
		for x := range width {
			x0, x1, fx := place(x, w, width)
			top := m[y0*w+x0] + float64((m[y0*w+x1]-m[y0*w+x0])*fx)
			bottom := m[y1*w+x0] + float64((m[y1*w+x1]-m[y1*w+x0])*fx)
			out[y*width+x] = top + float64((bottom-top)*fy)
		}
	}
	return out
}
