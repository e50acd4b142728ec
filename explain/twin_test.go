package explain

import (
	"context"
	"math"
	"testing"

	"vitrine/inference"
)

// Slow twins, written straight from the definitions.

// twinIG integrates with the midpoint rule on 500 points: no rule of ours is involved.
func twinIG(t *testing.T, m *toy, x, b inference.Example, target inference.Target) []float64 {
	t.Helper()
	_, tx := m.forward(x, nil)
	_, tb := m.forward(b, nil)
	name := m.info.Taps.Embeddings
	if x.Pixels != nil {
		name = m.info.Taps.Pixels
	}
	from, to := tb[name].data, tx[name].data
	out := make([]float64, len(to))
	const n = 500
	for k := range n {
		a := (float64(k) + 0.5) / n
		point := make([]float64, len(to))
		for i := range point {
			point[i] = from[i] + a*(to[i]-from[i])
		}
		for i := range point {
			const h = 1e-6
			at := func(d float64) float64 {
				point[i] += d
				l, _ := m.forward(x, map[string][]float64{name: point})
				point[i] -= d
				return toyTarget(l, target)
			}
			out[i] += (to[i] - from[i]) * (at(h) - at(-h)) / (2 * h) / n
		}
	}
	return out
}

func TestIntegratedGradientsTwin(t *testing.T) {
	if testing.Short() {
		t.Log("the twin takes a few seconds")
	}
	m := toyText()
	in := inference.Input{Text: "not bad at all"}
	enc, _ := m.Encode(context.Background(), in)
	w := enc.Windows[0]
	b := inference.Example{IDs: replaced(w, 0), Types: w.Example.Types}
	want := twinIG(t, m, w.Example, b, inference.Target{Index: []int{2}, Quantity: "logprob"})
	for _, params := range []map[string]any{{"profile": "captum"}, {"profile": "adaptive"}, {"profile": "captum", "steps": 20}} {
		params["quantity"] = "logprob"
		e := mustExplain(t, Request{Model: m, Input: in, Method: "integrated-gradients", Params: params, Target: "good", Draws: -1})
		size := 0.0
		for _, v := range want {
			size = max(size, math.Abs(v))
		}
		tolerance := 1e-4 * size
		if params["profile"] == "adaptive" {
			tolerance = 1e-2 * size
		}
		for i := range e.Attributions {
			token := sum(want[i*4 : i*4+4])
			if math.Abs(e.Attributions[i]-token) > tolerance {
				t.Errorf("%v token %d: %v, twin %v", params, i, e.Attributions[i], token)
			}
		}
	}
}

// twinOcclusion follows Captum's text: for every window a tensor of ones, padded and cropped to the input's shape.
func twinOcclusion(h, w, win, stride int, f func(mask []bool) float64) []float64 {
	count := func(n int) int { return int(math.Ceil(float64(n-min(win, n))/float64(stride))) + 1 }
	winH := min(win, h)
	total, weights := make([]float64, h*w), make([]float64, h*w)
	base := f(make([]bool, h*w))
	for r := range count(h) {
		for c := range count(w) {
			mask := make([]bool, h*w)
			for y := range h {
				for x := range w {
					mask[y*w+x] = y >= r*stride && y < r*stride+winH && x >= c*stride && x < c*stride+win
				}
			}
			diff := base - f(mask)
			for i, covered := range mask {
				if covered {
					total[i] += diff
					weights[i]++
				}
			}
		}
	}
	for i := range total {
		total[i] /= weights[i]
	}
	return total
}

func TestOcclusionTwin(t *testing.T) {
	ctx := context.Background()
	text, image := toyText(), toyImage()
	target := inference.Target{Index: []int{1}, Quantity: "logit"}
	for _, c := range []struct{ window, stride int }{{1, 1}, {2, 1}, {3, 2}, {5, 5}} {
		in := toyInputs["text"]
		enc, _ := text.Encode(ctx, in)
		w := enc.Windows[0]
		base := replaced(w, 3)
		want := twinOcclusion(1, len(w.Tokens), c.window, c.stride, func(mask []bool) float64 {
			x := inference.Example{Types: w.Example.Types}
			for i, id := range w.Example.IDs {
				if mask[i] {
					id = base[i]
				}
				x.IDs = append(x.IDs, id)
			}
			l, _ := text.forward(x, nil)
			return toyTarget(l, target)
		})
		params := map[string]any{"window": c.window, "stride": c.stride, "baseline": "mask"}
		e := mustExplain(t, Request{Model: text, Input: in, Method: "occlusion", Params: params, Target: "1", Draws: -1})
		near(t, "text", e.Attributions, want, 1e-12)

		in = toyInputs["image"]
		enc, _ = image.Encode(ctx, in)
		x := enc.Windows[0].Example
		blurred := Blurred(x)
		want = twinOcclusion(8, 8, c.window, c.stride, func(mask []bool) float64 {
			p := append([]float32(nil), x.Pixels...)
			for i, m := range mask {
				if m {
					p[i] = blurred[i]
				}
			}
			l, _ := image.forward(inference.Example{Pixels: p, Shape: x.Shape}, nil)
			return toyTarget(l, target)
		})
		params["baseline"] = "blur"
		e = mustExplain(t, Request{Model: image, Input: in, Method: "occlusion", Params: params, Target: "1", Draws: -1})
		near(t, "image", widen(e.Map.Data), want, 1e-6)
	}
}

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > tolerance {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestIntegratedGradientsKink is row 1 of golden/explain/analytic/M1 (Captum 0.9.0, exact value 1.5, -0.5):
// F = relu(relu(x1) - 1 - relu(x2)), x = (3,1), b = 0. The kink makes every rule inexact; the adaptive profile
// spends all its points and stays within 2 %.
func TestIntegratedGradientsKink(t *testing.T) {
	relu := func(v float64) float64 { return max(v, 0) }
	m := analytic(2, 1, func(x []float64) float64 { return relu(relu(x[0]) - 1 - relu(x[1])) }, nil)
	p := &Problem{Engine: m, Info: m.info, Example: inference.Example{Pixels: []float32{3, 1}, Shape: []int{1, 1, 2}},
		Target: inference.Target{Index: []int{0}, Quantity: "logit"}, Baseline: Baseline{Name: "zero", Pixels: make([]float32, 2)}}
	for _, profile := range []string{"captum", "adaptive"} {
		p.Params = map[string]any{"profile": profile, "steps": 300}
		a, err := Attribute(context.Background(), "integrated-gradients", p)
		if err != nil {
			t.Fatal(err)
		}
		near(t, profile, a.Values, []float64{1.5, -0.5}, 0.03)
		if math.Abs(a.Delta()-(a.Values[0]+a.Values[1]-1)) > 1e-12 {
			t.Errorf("delta %v", a.Delta())
		}
	}
}

// TestGradCAMConvolution is table M2 of golden/explain/analytic (Captum 0.9.0 LayerGradCam): a 3x3 convolution with
// two channels of ones (bias -50, -75), relu, and a linear layer on a 4x4 picture of 0..15.
func TestGradCAMConvolution(t *testing.T) {
	conv := func(x []float64) []float64 {
		out := make([]float64, 8)
		for c, bias := range []float64{-50, -75} {
			for i := range 4 {
				out[c*4+i] = bias
				for k := range 9 {
					out[c*4+i] += x[(i/2+k/3)*4+i%2+k%3]
				}
			}
		}
		return out
	}
	readout := []float64{1, 1, 1, 1, 1, -1, -1, -1}
	pixels := make([]float32, 16)
	for i := range pixels {
		pixels[i] = float32(i)
	}
	m := analytic(4, 4, nil, func(x []float64, over map[string][]float64) (float64, map[string]toyValue) {
		c := conv(x)
		if o, ok := over["conv1"]; ok {
			c = o
		}
		r := make([]float64, 8)
		for i, v := range c {
			r[i] = max(v, 0)
		}
		if o, ok := over["relu1"]; ok {
			r = o
		}
		out := 0.0
		for i, v := range r {
			out += v * readout[i]
		}
		shape := []int{2, 2, 2}
		return max(out, 0), map[string]toyValue{"conv1": {shape, c}, "relu1": {shape, r}}
	})
	m.info.Taps.Features = []string{"conv1", "relu1"}
	p := &Problem{Engine: m, Info: m.info, Example: inference.Example{Pixels: pixels, Shape: []int{1, 4, 4}},
		Target: inference.Target{Index: []int{0}, Quantity: "logit"}, Baseline: Baseline{Name: "zero", Pixels: make([]float32, 16)}}
	for layer, want := range map[string][]float64{"conv1": {11.25, 13.5, 20.25, 22.5}, "relu1": {0, 4, 28, 32.5}, "last": {0, 4, 28, 32.5}} {
		p.Params = map[string]any{"layer": layer}
		a, err := Attribute(context.Background(), "grad-cam", p)
		if err != nil {
			t.Fatal(err)
		}
		near(t, layer, a.Values, want, 1e-4)
	}
}

// analytic wraps a function of a picture (1,h,w) as an engine with one output.
func analytic(w, h int, f func([]float64) float64, full func([]float64, map[string][]float64) (float64, map[string]toyValue)) *toy {
	m := &toy{info: inference.Info{Name: "analytic", Task: "image-classification", Modality: "image", Labels: []string{"y"}, Digest: "analytic",
		ImageChannels: 1, ImageHeight: h, ImageWidth: w, Taps: inference.Taps{Pixels: "pixels"}}}
	m.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		pixels := widen(x.Pixels)
		if o, ok := over["pixels"]; ok {
			pixels = o
		}
		taps := map[string]toyValue{}
		var y float64
		if full != nil {
			y, taps = full(pixels, over)
		} else {
			y = f(pixels)
		}
		taps["pixels"] = toyValue{[]int{1, h, w}, pixels}
		return []float64{y}, taps
	}
	return m
}
