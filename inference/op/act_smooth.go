package op

import "vitrine/inference/kernel"

// ELU with alpha 1 (Clevert et al. 2015) and softplus, as torch.nn defines them. Both are built from the exponential
// and the logarithm of package kernel, so their bits depend on nothing but the argument.
func init() {
	acts["elu"] = &Act{Name: "elu", forward: elu, grad: eluGrad, kink: true}
	acts["softplus"] = &Act{Name: "softplus", forward: softplus, grad: softplusGrad}
}

// piece is how many values share one call of a kernel; the operands may be the result's own buffer.
const piece = 256

// elu is x where x > 0 and e^x - 1 elsewhere.
func elu(dst, src []float32) {
	var buf [piece]float32
	for lo := 0; lo < len(src); lo += piece {
		x, y := src[lo:min(lo+piece, len(src))], dst[lo:]
		e := buf[:len(x)]
		for i, v := range x {
			e[i] = min(v, 0)
		}
		kernel.Exp(e, e)
		for i, v := range x {
			if v > 0 {
				y[i] = v
			} else {
				y[i] = e[i] - 1
			}
		}
	}
}

func eluGrad(dst, dy, x []float32) {
	var buf [piece]float32
	for lo := 0; lo < len(x); lo += piece {
		v, g, y := x[lo:min(lo+piece, len(x))], dy[lo:], dst[lo:]
		e := buf[:len(v)]
		for i := range v {
			e[i] = min(v[i], 0)
		}
		kernel.Exp(e, e) // 1 where x >= 0
		for i := range v {
			y[i] = g[i] * e[i]
		}
	}
}

// softplus is log(1 + e^x), computed as max(x,0) + log(1 + e^-|x|) so that nothing overflows.
func softplus(dst, src []float32) {
	var buf [piece]float32
	for lo := 0; lo < len(src); lo += piece {
		x, y := src[lo:min(lo+piece, len(src))], dst[lo:]
		e := buf[:len(x)]
		for i, v := range x {
			e[i] = -max(v, -v)
		}
		kernel.Exp(e, e)
		for i := range e {
			e[i]++
		}
		kernel.Log(e, e)
		for i, v := range x {
			y[i] = max(v, 0) + e[i]
		}
	}
}

func softplusGrad(dst, dy, x []float32) {
	var buf [piece]float32
	for lo := 0; lo < len(x); lo += piece {
		v, g, y := x[lo:min(lo+piece, len(x))], dy[lo:], dst[lo:]
		s := buf[:len(v)]
		kernel.Sigmoid(s, v)
		for i := range v {
			y[i] = g[i] * s[i]
		}
	}
}
