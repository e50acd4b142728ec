package nn

import (
	"math"
	"slices"
	"sync"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/op"
)

// ConvNorm is a convolution with its batch normalisation folded in: weights times gamma/sqrt(var+eps), computed in
// float64 and rounded once. What lies between the two is computed beside it for those who ask, from the published weights.
type ConvNorm struct {
	Name     string // of the checkpoint's module
	conv     *op.Conv
	unfolded *op.Unfolded
}

// ConvNorm reads NAME.convolution.weight (out,in,k,k) and NAME.normalization.*.
func (l *Loader) ConvNorm(name string, in, out, k, stride int) ConvNorm {
	w := l.Tensor(name+".convolution.weight", out, in, k, k)
	gamma := l.Tensor(name+".normalization.weight", out)
	beta := l.Tensor(name+".normalization.bias", out)
	mean := l.Tensor(name+".normalization.running_mean", out)
	variance := l.Tensor(name+".normalization.running_var", out)
	if l.err != nil {
		return ConvNorm{}
	}
	const eps = 1e-5 // torch.nn.BatchNorm2d's default, which the family does not configure
	for _, v := range variance {
		if !(v >= 0) {
			l.fail("tensor %s.normalization.running_var holds %g, a variance is not negative", name, v)
			return ConvNorm{}
		}
	}
	bias, scale := make([]float32, out), make([]float64, out)
	var published []float32 // kept where the folded weights do not tell them
	n := in * k * k
	for o := range out {
		s := float64(gamma[o]) / math.Sqrt(float64(variance[o])+eps)
		scale[o] = s
		if m := math.Abs(s); !(m > 1e-15 && m < 1e15) && published == nil {
			published = slices.Clone(w)
		}
		bias[o] = float32(float64(beta[o]) - float64(float64(mean[o])*s))
	}
	for i, v := range w {
		w[i] = float32(float64(v) * scale[i/n])
	}
	c := &op.Conv{Filter: kernel.PackConv(w, out, in, k, k, 1), Stride: stride, Pad: k / 2, Bias: bias}
	return ConvNorm{name, c, &op.Unfolded{Folded: c, Filter: sync.OnceValue(func() *kernel.Filter {
		raw := published
		if raw == nil {
			raw = make([]float32, len(w))
			for i, v := range w {
				raw[i] = float32(float64(v) / scale[i/n])
			}
		}
		return kernel.PackConv(raw, out, in, k, k, 1)
	})}}
}

// Add appends the normalised convolution over channels-last x (N,H,W,C), and beside it the convolution before its
// normalisation, which nothing goes on with.
func (c ConvNorm) Add(g *graph.Graph, x graph.ID) (normalised, before graph.ID) {
	return g.Add("conv", c.conv, "", x), g.Add("unfolded", c.unfolded, "", x)
}
