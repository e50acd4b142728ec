package explain

import (
	"math"

	"vitrine/inference"
)

// Upsample brings a map (h,w) to (height,width) with bilinear interpolation at half-pixel centres and clamped
// edges (torch.nn.functional.interpolate, align_corners=False). It is for display and for ranking patches; what is
// stored is the raw map.
func Upsample(m inference.Tensor, height, width int) inference.Tensor {
	h, w := m.Shape[0], m.Shape[1]
	if h == height && w == width {
		return m
	}
	out := inference.Tensor{Shape: []int{height, width}, Data: make([]float32, height*width)}
	for y := range height {
		y0, y1, fy := halfPixel(y, h, height)
		for x := range width {
			x0, x1, fx := halfPixel(x, w, width)
			top := mixed(m.Data[y0*w+x0], m.Data[y0*w+x1], fx)
			bottom := mixed(m.Data[y1*w+x0], m.Data[y1*w+x1], fx)
			out.Data[y*width+x] = float32(top + float64((bottom-top)*fy))
		}
	}
	return out
}

func halfPixel(i, from, to int) (lo, hi int, frac float64) {
	at := float64((float64(i)+0.5)*float64(from)/float64(to)) - 0.5
	at = max(at, 0)
	lo = min(int(at), from-1)
	return lo, min(lo+1, from-1), at - float64(lo)
}

func mixed(a, b float32, f float64) float64 {
	return float64(a) + float64((float64(b)-float64(a))*f)
}

// Heat prepares an image explanation for display: the map at the size of the normalised picture, divided by its
// largest absolute value, so that it lies in [-1,1]. With positive set, values below zero become zero first, as
// Grad-CAM is usually shown. A map of zeros stays zero.
func Heat(e *Explanation, positive bool) inference.Tensor {
	if e.Map == nil {
		return inference.Tensor{}
	}
	raw := inference.Tensor{Shape: e.Map.Shape, Data: append([]float32(nil), e.Map.Data...)}
	if positive {
		for i, v := range raw.Data {
			raw.Data[i] = max(v, 0)
		}
	}
	out := Upsample(raw, e.ImageHeight, e.ImageWidth)
	if e.ImageHeight == e.Map.Shape[0] && e.ImageWidth == e.Map.Shape[1] {
		out = raw
	}
	top := 0.0
	for _, v := range out.Data {
		top = max(top, math.Abs(float64(v)))
	}
	if top > 0 {
		for i := range out.Data {
			out.Data[i] = float32(float64(out.Data[i]) / top)
		}
	}
	return out
}
