package main

import (
	"math"

	"vitrine/inference/kernel/poly"
)

func init() {
	kernels = append(kernels, kernel{"log", 1, 0, func(w *writer, in, s, t []int) int { return w.log(in[0], t) }})
}

// log of a, which is kept; eight scratch registers. The exponent is taken so that the mantissa lies around one; subnormal values are scaled first.
func (w *writer) log(a int, t []int) int {
	x, i, e, s, r, u, v, zero := t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]
	const least = 0x1p-126
	w.xor(zero, zero, w.r(zero))
	w.load(u, w.c(0x1p23))
	w.mul(u, u, w.r(a))
	w.less(x, a, w.c(least), u, a, v)
	w.load(u, w.c(-23))
	w.less(i, a, w.c(least), u, zero, v)
	w.op("VPSUBD %s, %s, %s", w.c(2.0/3), w.r(x), w.r(e))
	w.and(e, e, w.bits(0xff800000))
	w.op("VPSUBD %s, %s, %s", w.r(e), w.r(x), w.r(x))
	w.sub(x, x, w.c(1))
	w.op("VCVTDQ2PS %s, %s", w.r(e), w.r(e))
	w.fma(i, e, w.c(0x1p-23))
	w.mul(s, x, w.r(x))
	w.horner(r, s, poly.LogEven[:])
	w.horner(u, s, poly.LogOdd[:])
	w.fma(r, u, w.r(x))
	for _, c := range poly.LogLast {
		w.mad(r, x, w.c(float64(c)))
	}
	w.mad(r, s, w.r(x))
	w.fma(r, i, w.c(poly.Ln2))
	w.load(u, w.bits(0x7fc00000))
	w.less(r, a, w.r(zero), u, r, v)
	w.load(u, w.bits(0xff800000))
	w.choose(0, r, a, w.r(zero), u, r, v)
	w.choose(30, r, a, w.c(math.MaxFloat32), a, r, v)
	w.choose(0, r, a, w.r(a), r, a, v)
	return r
}
