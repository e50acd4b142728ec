package explain

import (
	"context"
	"math"
	"slices"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// SmoothGrad (Smilkov et al. 2017; Captum NoiseTunnel smoothgrad and smoothgrad_sq): the mean of the gradient, or of its
// square, over several copies of the input with normal noise, which is stated as a share of the input's range.
func init() {
	register(Method{
		ID: "smoothgrad", Version: "1", Family: "gradient", Modalities: []string{"text", "image"},
		Params: append(targetParams(), baselineParam(), samplesParam(16), noiseParam(), innerParam(), reduceParam(),
			Param{Name: "square", Type: "bool", Default: false, Help: "explain.param.square"}),
		Suitable: differentiable,
		Cost:     noisyCost,
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			mean, square, err := p.noisyGradients(ctx)
			if err != nil {
				return nil, err
			}
			if b, _ := p.Params["square"].(bool); b {
				mean = square
			}
			return p.noisy(ctx, mean, paramString(p.Params, "reduce"))
		},
	})
}

func noisyCost(info inference.Info, tokens int, params map[string]any) Cost {
	n := paramInt(params, "samples")
	if paramString(params, "inner") == "integrated-gradients" {
		n *= innerPoints
	}
	return spend(info, tokens, 4, n)
}

func samplesParam(standard int) Param {
	return Param{Name: "samples", Type: "int", Default: standard, Min: bound(1), Max: bound(4096), Help: "explain.param.samples"}
}

func noiseParam() Param {
	return Param{Name: "noise", Type: "float", Default: 0.1, Min: bound(0), Max: bound(10), Help: "explain.param.noise"}
}

// noisy completes an attribution with the outputs at both ends.
func (p *Problem) noisy(ctx context.Context, values []float64, how string) (*Attribution, error) {
	ends, err := p.values(ctx, []inference.Example{p.Example, p.baselineExample()})
	if err != nil {
		return nil, err
	}
	a := p.reduce(p.inputLayout(len(values)), values, how)
	a.Output, a.BaselineOutput = ends[0], ends[1]
	return a, nil
}

// innerParam chooses what is repeated under noise.
func innerParam() Param {
	return Param{Name: "inner", Type: "enum", Default: "saliency", Enum: []string{"saliency", "integrated-gradients"}, Help: "explain.param.inner"}
}

// innerPoints is the number of points of an inner path.
const innerPoints = 20

// noisyGradients gives the mean of the gradients (or integrated gradients) over noisy copies of the input, and the mean
// of their squares.
func (p *Problem) noisyGradients(ctx context.Context) (mean, square []float64, err error) {
	x, b, _, _, err := p.ends(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	mean, square = make([]float64, len(x)), make([]float64, len(x))
	noise := p.noise(x, "smoothgrad")
	n := paramInt(p.Params, "samples")
	add := func(k int, v float64) {
		mean[k] += v
		square[k] += float64(v * v)
	}
	if paramString(p.Params, "inner") == "saliency" {
		err = p.gradientsAt(ctx, n, func(i int) []float32 { return noise(i) }, func(_ int, _ float64, g []float32) error {
			for k, v := range g {
				add(k, float64(v))
			}
			return nil
		})
	} else {
		err = p.noisyPaths(ctx, n, noise, b, add)
	}
	for k := range mean {
		mean[k] /= float64(n)
		square[k] /= float64(n)
	}
	return mean, square, err
}

// noisyPaths integrates from the baseline to each noisy copy.
func (p *Problem) noisyPaths(ctx context.Context, n int, noise func(int) []float32, b []float32, add func(k int, v float64)) error {
	rule, err := captumRule("gausslegendre", innerPoints)
	if err != nil {
		return err
	}
	whole := *p
	whole.Detail = true
	for i := range n {
		in := &integral{p: &whole, x: noise(i), b: b}
		products, err := in.evaluate(ctx, rule.nodes)
		if err != nil {
			return err
		}
		for k, v := range weigh(products, rule, 1) {
			add(k, v)
		}
	}
	return nil
}

// noise gives noisy copies of the input, one a sample, in order: the copies are drawn one after another.
func (p *Problem) noise(x []float32, stream string) func(int) []float32 {
	if p.Given != nil && p.Given.Noise != nil {
		return func(i int) []float32 {
			out := slices.Clone(x)
			for k := range out {
				out[k] += p.Given.Noise[i][k]
			}
			return out
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range x {
		low, high = min(low, float64(v)), max(high, float64(v))
	}
	share, _ := p.Params["noise"].(float64)
	sigma := float64(share * (high - low))
	d := metric.NewDraw(p.Seed, stream)
	return func(int) []float32 {
		out := make([]float32, len(x))
		for k, v := range x {
			out[k] = float32(float64(v) + float64(sigma*d.Normal()))
		}
		return out
	}
}
