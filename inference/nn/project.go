package nn

import (
	"vitrine/inference/op"
	"vitrine/inference/weights"
)

// Project is Linear with or without a bias.
func (l *Loader) Project(name string, in, out int, bias bool) Linear {
	if bias {
		return l.Linear(name, in, out)
	}
	return Linear{Name: name, W: l.weight(name+".weight", in, out)}
}

// RMSNorm reads NAME.weight over n values; offset is added to each (Gemma stores the distance from one).
func (l *Loader) RMSNorm(name string, n int, eps float64, offset float32) *op.RMSNorm {
	gamma := l.Tensor(name+".weight", n)
	for i := range gamma {
		gamma[i] += offset
	}
	return &op.RMSNorm{Gamma: gamma, Eps: eps}
}

// Rows makes a linear layer of some rows of a larger weight (out,in) and bias, of which each part has own order.
func Rows(name string, weight, bias []float32, in int, rows []int) Linear {
	w, b := make([]float32, 0, len(rows)*in), make([]float32, 0, len(rows))
	for _, r := range rows {
		w = append(w, weight[r*in:(r+1)*in]...)
		if bias != nil {
			b = append(b, bias[r])
		}
	}
	if bias == nil {
		b = nil
	}
	return Linear{Name: name, W: op.NewWeight(w, in, len(rows)), Bias: b}
}

// Transposed reads NAME.weight stored (in,out), as GPT-2 does, into (out,in), and NAME.bias.
func (l *Loader) Transposed(name string, in, out int) (weight, bias []float32) {
	w, b := l.Tensor(name+".weight", in, out), l.Tensor(name+".bias", out)
	if l.err != nil {
		return nil, nil
	}
	t := make([]float32, len(w))
	for i := range in {
		for o := range out {
			t[o*in+i] = w[i*out+o]
		}
	}
	return t, b
}

// File is where the tensors come from, for what has a shape of its own.
func (l *Loader) File() *weights.File { return l.file }
