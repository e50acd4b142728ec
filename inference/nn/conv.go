package nn

import (
	"math"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/op"
)

// ConvNorm is a convolution with its batch normalisation folded in: weights times gamma/sqrt(var+eps), computed in
// float64 and rounded once. What lies between the two is not a tap, so the folding is never undone.
type ConvNorm struct{ conv *op.Conv }

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
	bias := make([]float32, out)
	n := in * k * k
	for o := range out {
		s := float64(gamma[o]) / math.Sqrt(float64(variance[o])+eps)
		bias[o] = float32(float64(beta[o]) - float64(float64(mean[o])*s))
		for i := o * n; i < (o+1)*n; i++ {
			w[i] = float32(float64(w[i]) * s)
		}
	}
	f := kernel.PackConv(w, out, in, k, k, 1)
	return ConvNorm{&op.Conv{Filter: f, Stride: stride, Pad: k / 2, Bias: bias}}
}

// Add appends the convolution over channels-last x (N,H,W,C).
func (c ConvNorm) Add(g *graph.Graph, tap string, x graph.ID) graph.ID {
	return g.Add("conv", c.conv, tap, x)
}
