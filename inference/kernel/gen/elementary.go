package main

import "vitrine/inference/kernel/poly"

var kernels = []kernel{
	{"add", 2, 0, func(w *writer, in, s, t []int) int { w.add(in[0], in[0], w.r(in[1])); return in[0] }},
	{"sub", 2, 0, func(w *writer, in, s, t []int) int { w.sub(in[0], in[0], w.r(in[1])); return in[0] }},
	{"mul", 2, 0, func(w *writer, in, s, t []int) int { w.mul(in[0], in[0], w.r(in[1])); return in[0] }},
	{"div", 2, 0, func(w *writer, in, s, t []int) int { w.div(in[0], in[0], w.r(in[1])); return in[0] }},
	{"scale", 1, 1, func(w *writer, in, s, t []int) int { w.mul(in[0], in[0], w.r(s[0])); return in[0] }},
	{"divide", 1, 1, func(w *writer, in, s, t []int) int { w.div(in[0], in[0], w.r(s[0])); return in[0] }},
	{"axpy", 2, 1, func(w *writer, in, s, t []int) int { w.fma(in[0], in[1], w.r(s[0])); return in[0] }},
	{"fma3", 3, 0, func(w *writer, in, s, t []int) int { w.fma(in[2], in[0], w.r(in[1])); return in[2] }},
	{"relu", 1, 0, func(w *writer, in, s, t []int) int {
		w.xor(t[0], t[0], w.r(t[0]))
		w.max(in[0], t[0], w.r(in[0]))
		return in[0]
	}},
	{"relugrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, x
		w.xor(t[0], t[0], w.r(t[0]))
		w.choose(30, in[0], in[1], w.r(t[0]), in[0], t[0], t[1])
		return in[0]
	}},
	{"larger", 2, 0, func(w *writer, in, s, t []int) int { // b where it is larger or no number, else a
		w.max(t[0], in[1], w.r(in[0]))
		w.choose(0, in[0], in[1], w.r(in[1]), t[0], in[1], t[1])
		return in[0]
	}},
	{"exp", 1, 1, func(w *writer, in, s, t []int) int { // of a - s
		w.sub(in[0], in[0], w.r(s[0]))
		return w.exp(in[0], t)
	}},
	{"erf", 1, 0, func(w *writer, in, s, t []int) int { return w.erf(in[0], t) }},
	{"tanh", 1, 0, func(w *writer, in, s, t []int) int { return w.tanh(in[0], t) }},
	{"sigmoid", 1, 0, func(w *writer, in, s, t []int) int { return w.sigmoid(in[0], t) }},
	{"silu", 1, 0, func(w *writer, in, s, t []int) int {
		r := w.sigmoid(in[0], t)
		w.mul(r, r, w.r(in[0]))
		return r
	}},
	{"silugrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, x
		r := w.sigmoid(in[1], t)
		u := t[1]
		w.load(u, w.c(1))
		w.sub(u, u, w.r(r))
		w.mad(u, in[1], w.c(1))
		w.mul(r, r, w.r(u))
		w.mul(r, r, w.r(in[0]))
		return r
	}},
	{"gelu", 1, 0, func(w *writer, in, s, t []int) int {
		x, h := t[0], in[0]
		w.mul(x, h, w.c(poly.SqrtHalf))
		r := w.erf(x, t[1:])
		w.mul(h, h, w.c(0.5))
		w.mad(r, h, w.r(h))
		return r
	}},
	{"gelugrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, x
		x, a, phi := in[1], t[0], t[1]
		w.mul(a, x, w.r(x))
		w.mul(a, a, w.c(-0.5))
		r := w.exp(a, t[2:])
		w.mul(phi, r, w.c(poly.InvSqrt2Pi))
		w.mul(a, x, w.c(poly.SqrtHalf))
		r = w.erf(a, t[2:])
		h := t[0]
		w.load(h, w.c(0.5))
		w.mad(r, h, w.r(h))
		w.fma(r, x, w.r(phi))
		w.mul(r, r, w.r(in[0]))
		return r
	}},
	{"gelutanh", 1, 0, func(w *writer, in, s, t []int) int {
		h := in[0]
		w.geluTanhArg(t[0], h, t[1])
		r := w.tanh(t[0], t[1:])
		w.mul(h, h, w.c(0.5))
		w.mad(r, h, w.r(h))
		return r
	}},
	{"gelutanhgrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, x
		x, arg, du, one := in[1], t[0], t[1], t[2]
		w.geluTanhArg(arg, x, du)
		r := w.tanh(arg, t[1:])
		w.mul(du, x, w.r(x))
		w.load(arg, w.c(poly.GELUTanhDC3))
		w.mad(du, arg, w.c(poly.GELUTanhC))
		w.load(one, w.c(1))
		w.op("VFNMADD231PS %s, %s, %s", w.r(r), w.r(r), w.r(one)) // 1 - tanh²
		w.mul(x, x, w.c(0.5))
		w.mul(x, x, w.r(one))
		w.load(arg, w.c(0.5))
		w.mad(r, arg, w.r(arg))
		w.fma(r, x, w.r(du))
		w.mul(r, r, w.r(in[0]))
		return r
	}},
	{"tanhgrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, y
		w.load(t[0], w.c(1))
		w.op("VFNMADD231PS %s, %s, %s", w.r(in[1]), w.r(in[1]), w.r(t[0]))
		w.mul(in[0], in[0], w.r(t[0]))
		return in[0]
	}},
	{"sigmoidgrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, y
		w.load(t[0], w.c(1))
		w.sub(t[0], t[0], w.r(in[1]))
		w.mul(t[0], in[1], w.r(t[0]))
		w.mul(in[0], in[0], w.r(t[0]))
		return in[0]
	}},
	{"erfgrad", 2, 0, func(w *writer, in, s, t []int) int { // dy, x
		w.mul(in[1], in[1], w.r(in[1]))
		w.xor(in[1], in[1], w.bits(1<<31))
		r := w.exp(in[1], t)
		w.mul(r, r, w.c(poly.TwoOverSqrtPi))
		w.mul(in[0], in[0], w.r(r))
		return in[0]
	}},
	{"norm", 3, 2, func(w *writer, in, s, t []int) int { // (a-mean)*rstd*gamma + beta
		w.sub(in[0], in[0], w.r(s[0]))
		w.mul(in[0], in[0], w.r(s[1]))
		w.mad(in[0], in[1], w.r(in[2]))
		return in[0]
	}},
	{"standard", 1, 2, func(w *writer, in, s, t []int) int { // (a-mean)*rstd
		w.sub(in[0], in[0], w.r(s[0]))
		w.mul(in[0], in[0], w.r(s[1]))
		return in[0]
	}},
	{"normback", 2, 3, func(w *writer, in, s, t []int) int { // (a*s + (b-t))*u
		w.sub(in[1], in[1], w.r(s[1]))
		w.fma(in[1], in[0], w.r(s[0]))
		w.mul(in[1], in[1], w.r(s[2]))
		return in[1]
	}},
	{"softback", 2, 2, func(w *writer, in, s, t []int) int { // t*(a*(b-s))
		w.sub(in[1], in[1], w.r(s[0]))
		w.mul(in[1], in[1], w.r(in[0]))
		w.mul(in[1], in[1], w.r(s[1]))
		return in[1]
	}},
}

// exp of x, which is destroyed; three scratch registers.
func (w *writer) exp(x int, t []int) int {
	k, j, r := t[0], t[1], t[2]
	w.load(j, w.c(poly.ExpLow))
	w.max(x, j, w.r(x))
	w.load(j, w.c(poly.ExpHigh))
	w.min(x, j, w.r(x))
	w.load(k, w.c(poly.Magic))
	w.fma(k, x, w.c(poly.Log2E))
	w.sub(j, k, w.c(poly.Magic))
	w.fma(x, j, w.c(poly.NegLn2Hi))
	w.fma(x, j, w.c(poly.NegLn2Lo))
	w.horner(r, x, poly.Exp[:])
	w.op("VPSUBD %s, %s, %s", w.c(poly.Magic), w.r(k), w.r(k))
	w.op("VPSRAD $1, %s, %s", w.r(k), w.r(j))
	w.op("VPSUBD %s, %s, %s", w.r(j), w.r(k), w.r(k))
	for _, n := range []int{j, k} {
		w.op("VPADDD %s, %s, %s", w.bits(127), w.r(n), w.r(n))
		w.op("VPSLLD $23, %s, %s", w.r(n), w.r(n))
		w.mul(r, r, w.r(n))
	}
	return r
}

// erf of x, which is kept until the end; six scratch registers.
func (w *writer) erf(x int, t []int) int {
	a, s, small, r, u, v := t[0], t[1], t[2], t[3], t[4], t[5]
	w.and(a, x, w.bits(0x7fffffff))
	w.mul(s, x, w.r(x))
	w.horner(small, s, poly.ErfSmall[:])
	w.mad(small, x, w.r(x))
	e := poly.ErfTail
	w.horner(r, a, e[:2])
	w.horner(u, a, e[2:4])
	w.mad(r, s, w.r(u))
	for _, c := range e[4:] {
		w.mad(r, a, w.c(float64(c)))
	}
	w.op("VFMSUB213PS %s, %s, %s", w.r(a), w.r(a), w.r(r)) // r*a - a
	w.exp(r, []int{s, u, v})
	w.load(u, w.c(1))
	w.sub(v, u, w.r(v))
	w.and(s, x, w.bits(1<<31))
	w.or(v, v, w.r(s))
	w.less(v, a, w.c(poly.ErfSplit), small, v, u)
	return v
}

// tanh of x, which is kept until the end; six scratch registers.
func (w *writer) tanh(x int, t []int) int {
	a, s, small, e, u, v := t[0], t[1], t[2], t[3], t[4], t[5]
	w.and(a, x, w.bits(0x7fffffff))
	w.mul(s, x, w.r(x))
	w.horner(small, s, poly.Tanh[:])
	w.mul(small, small, w.r(s))
	w.mad(small, x, w.r(x))
	w.add(e, a, w.r(a))
	w.exp(e, []int{s, u, v})
	w.add(v, v, w.c(1))
	w.load(e, w.c(2))
	w.div(v, e, w.r(v))
	w.load(e, w.c(1))
	w.sub(v, e, w.r(v))
	w.and(s, x, w.bits(1<<31))
	w.or(v, v, w.r(s))
	w.less(v, a, w.c(poly.TanhSplit), small, v, e)
	return v
}

// sigmoid of x, which is kept; five scratch registers.
func (w *writer) sigmoid(x int, t []int) int {
	a, one, z := t[0], t[4], t[1]
	w.or(a, x, w.bits(1<<31))
	e := w.exp(a, t[1:])
	w.load(one, w.c(1))
	w.add(a, e, w.r(one))
	w.xor(z, z, w.r(z))
	w.less(one, x, w.r(z), e, one, t[2])
	w.div(one, one, w.r(a))
	return one
}

// geluTanhArg sets d = x·fma(x², c3, c) with one scratch register.
func (w *writer) geluTanhArg(d, x, t int) {
	w.mul(d, x, w.r(x))
	w.load(t, w.c(poly.GELUTanhC3))
	w.mad(d, t, w.c(poly.GELUTanhC))
	w.mul(d, d, w.r(x))
}
