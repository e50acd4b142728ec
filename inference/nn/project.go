package nn

import (
	"vitrine/inference/kernel"
	"vitrine/inference/op"
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

// Borrow reads a tensor that is only passed through, as Tensor does; the values are valid until the next call.
func (l *Loader) Borrow(name string, shape ...int) []float32 {
	t := l.fits(name, shape)
	if t == nil {
		return nil
	}
	if n := t.Elements(); cap(l.borrowed) < n {
		l.borrowed = make([]float32, n)
	}
	v := l.borrowed[:t.Elements()]
	l.fill(t, v)
	return v
}

// Rows packs some rows of a larger weight (..,in), in the order given, and their elements of the bias where there is one.
func (l *Loader) Rows(name string, weight, bias []float32, in int, rows []int) Linear {
	return l.pick(name, bias, in, rows, func(row int, dst []float32) { copy(dst, weight[row*in:(row+1)*in]) })
}

// Columns packs some columns of a weight stored (in,total), as GPT-2's are, and their elements of the bias.
func (l *Loader) Columns(name string, weight, bias []float32, in, total int, columns []int) Linear {
	return l.pick(name, bias, in, columns, func(column int, dst []float32) {
		for i := range dst {
			dst[i] = weight[i*total+column]
		}
	})
}

func (l *Loader) pick(name string, bias []float32, in int, list []int, row func(i int, dst []float32)) Linear {
	if l.err != nil {
		return Linear{}
	}
	p, err := kernel.PackFrom(&l.store, in, len(list), func(lo int, dst []float32) error {
		for i := range len(dst) / in {
			row(list[lo+i], dst[i*in:(i+1)*in])
		}
		return nil
	})
	if l.keep(err); l.err != nil {
		return Linear{}
	}
	out := Linear{Name: name, W: op.PackedWeight(p)}
	if bias != nil {
		out.Bias = make([]float32, len(list))
		for i, r := range list {
			out.Bias[i] = bias[r]
		}
	}
	return out
}
