package kernel

import (
	"math"

	"vitrine/inference/kernel/poly"
)

var negInf = float32(math.Inf(-1))

// Worst errors below are in units of the last place (ULP) against float64, over 2^24 arguments spread over all bit patterns (make ulp).

// Exp sets dst = e^src (0.84 ULP). dst may be src, as in every function of this file.
func Exp(dst, src []float32) { same2(len(dst), len(src)); current.Load().exp(dst, src, 0) }

// Log sets dst to the natural logarithm (0.85 ULP).
func Log(dst, src []float32) { same2(len(dst), len(src)); current.Load().log(dst, src) }

// Erf sets dst to the error function (0.98 ULP).
func Erf(dst, src []float32) { same2(len(dst), len(src)); current.Load().erf(dst, src) }

// Tanh sets dst to the hyperbolic tangent (1.35 ULP).
func Tanh(dst, src []float32) { same2(len(dst), len(src)); current.Load().tanh(dst, src) }

// Sigmoid sets dst = 1/(1+e^-src) (2.3 ULP).
func Sigmoid(dst, src []float32) { same2(len(dst), len(src)); current.Load().sigmoid(dst, src) }

// GELU sets dst = x/2·(1+erf(x/√2)) (2.4 ULP from -1 on; below, where 1+erf cancels, and everywhere: one ULP of x).
func GELU(dst, src []float32) { same2(len(dst), len(src)); current.Load().gelu(dst, src) }

// GELUTanh sets dst = x/2·(1+tanh(√(2/π)(x+0.044715x³))) (3.3 ULP from -1 on; below, where 1+tanh cancels, and everywhere: 1.2 ULP of x).
func GELUTanh(dst, src []float32) { same2(len(dst), len(src)); current.Load().gelutanh(dst, src) }

// SiLU sets dst = x·sigmoid(x) (3.2 ULP from -87 on; 53 ULP below, where e^x is subnormal).
func SiLU(dst, src []float32) { same2(len(dst), len(src)); current.Load().silu(dst, src) }

// Sin sets dst to the sine (0.501 ULP).
func Sin(dst, src []float32) { same2(len(dst), len(src)); apply(dst, src, sin1) }

// Cos sets dst to the cosine (0.501 ULP).
func Cos(dst, src []float32) { same2(len(dst), len(src)); apply(dst, src, cos1) }

func apply(dst, src []float32, f func(float32) float32) {
	for i, v := range src {
		dst[i] = f(v)
	}
}

func expGeneric(dst, a []float32, s float32) {
	for i, v := range a {
		dst[i] = exp1(v - s)
	}
}

func exp1(x float32) float32 {
	if x < poly.ExpLow {
		x = poly.ExpLow
	}
	if x > poly.ExpHigh {
		x = poly.ExpHigh
	}
	t := FMA(x, poly.Log2E, poly.Magic)
	j := t - poly.Magic
	f := FMA(j, poly.NegLn2Lo, FMA(j, poly.NegLn2Hi, x))
	r := poly.Exp[0]
	for _, c := range poly.Exp[1:] {
		r = FMA(r, f, c)
	}
	// 2^n in two factors, so that neither overflows and subnormal results come out.
	n := int32(math.Float32bits(t)) - int32(math.Float32bits(poly.Magic))
	h := n >> 1
	return r * power(h) * power(n-h)
}

func power(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

func log1(a float32) float32 {
	if !(a > 0 && a <= math.MaxFloat32) {
		return float32(math.Log(float64(a))) // exact: an infinity or NaN
	}
	var i float32
	x := a
	if a < 0x1p-126 {
		x, i = a*0x1p23, -23
	}
	e := (math.Float32bits(x) - math.Float32bits(2.0/3)) & 0xff800000
	m := math.Float32frombits(math.Float32bits(x)-e) - 1
	i = FMA(float32(int32(e)), 0x1p-23, i)
	s := m * m
	r, t := poly.LogEven[0], poly.LogOdd[0]
	for _, c := range poly.LogEven[1:] {
		r = FMA(r, s, c)
	}
	for _, c := range poly.LogOdd[1:] {
		t = FMA(t, s, c)
	}
	r = FMA(t, m, r)
	for _, c := range poly.LogLast {
		r = FMA(r, m, c)
	}
	return FMA(i, poly.Ln2, FMA(r, s, m))
}

func erf1(x float32) float32 {
	t, s := abs(x), x*x
	if t < poly.ErfSplit {
		r := poly.ErfSmall[0]
		for _, c := range poly.ErfSmall[1:] {
			r = FMA(r, s, c)
		}
		return FMA(r, x, x)
	}
	r := FMA(poly.ErfTail[0], t, poly.ErfTail[1])
	u := FMA(poly.ErfTail[2], t, poly.ErfTail[3])
	r = FMA(r, s, u)
	for _, c := range poly.ErfTail[4:] {
		r = FMA(r, t, c)
	}
	return signed(1-exp1(FMA(r, t, -t)), x)
}

func tanh1(x float32) float32 {
	t := abs(x)
	if t < poly.TanhSplit {
		s := x * x
		r := poly.Tanh[0]
		for _, c := range poly.Tanh[1:] {
			r = FMA(r, s, c)
		}
		return FMA(r*s, x, x)
	}
	return signed(1-2/(1+exp1(t+t)), x)
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// signed gives the non-negative r the sign of x.
func signed(r, x float32) float32 {
	return math.Float32frombits(math.Float32bits(r) | math.Float32bits(x)&(1<<31))
}

// sigmoid1 is s/(1+s) for negative x and 1/(1+s) otherwise, s = e^-|x|.
func sigmoid1(x float32) float32 {
	s := exp1(-abs(x))
	d := 1 + s
	if x < 0 {
		return s / d
	}
	return 1 / d
}

func silu1(x float32) float32 { return x * sigmoid1(x) }

func gelu1(x float32) float32 { h := 0.5 * x; return FMA(h, erf1(x*poly.SqrtHalf), h) }

func geluTanhArg(x float32) float32 { return x * FMA(x*x, poly.GELUTanhC3, poly.GELUTanhC) }

func geluTanh1(x float32) float32 { h := 0.5 * x; return FMA(h, tanh1(geluTanhArg(x)), h) }
