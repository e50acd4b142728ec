package kernel

import "math"

var negInf = float32(math.Inf(-1))

// Exp sets dst = e^src. dst may be src, as in every function of this file.
func Exp(dst, src []float32) { same2(len(dst), len(src)); current.Load().exp(dst, src) }

// Log sets dst to the natural logarithm.
func Log(dst, src []float32) { same2(len(dst), len(src)); apply(dst, src, log1) }

// Erf sets dst to the error function.
func Erf(dst, src []float32) { same2(len(dst), len(src)); current.Load().erf(dst, src) }

// Tanh sets dst to the hyperbolic tangent.
func Tanh(dst, src []float32) { same2(len(dst), len(src)); current.Load().tanh(dst, src) }

// Sigmoid sets dst = 1/(1+e^-src).
func Sigmoid(dst, src []float32) { same2(len(dst), len(src)); current.Load().sigmoid(dst, src) }

// GELU sets dst = x/2·(1+erf(x/√2)).
func GELU(dst, src []float32) { same2(len(dst), len(src)); current.Load().gelu(dst, src) }

// GELUTanh sets dst = x/2·(1+tanh(√(2/π)(x+0.044715x³))).
func GELUTanh(dst, src []float32) { same2(len(dst), len(src)); current.Load().gelutanh(dst, src) }

// SiLU sets dst = x·sigmoid(x).
func SiLU(dst, src []float32) { same2(len(dst), len(src)); current.Load().silu(dst, src) }

// Sin sets dst to the sine.
func Sin(dst, src []float32) { same2(len(dst), len(src)); apply(dst, src, sin1) }

// Cos sets dst to the cosine.
func Cos(dst, src []float32) { same2(len(dst), len(src)); apply(dst, src, cos1) }

func apply(dst, src []float32, f func(float32) float32) {
	for i, v := range src {
		dst[i] = f(v)
	}
}

func expGeneric(dst, src []float32)      { apply(dst, src, exp1) }
func erfGeneric(dst, src []float32)      { apply(dst, src, erf1) }
func tanhGeneric(dst, src []float32)     { apply(dst, src, tanh1) }
func sigmoidGeneric(dst, src []float32)  { apply(dst, src, sigmoid1) }
func geluGeneric(dst, src []float32)     { apply(dst, src, gelu1) }
func geluTanhGeneric(dst, src []float32) { apply(dst, src, geluTanh1) }
func siluGeneric(dst, src []float32)     { apply(dst, src, silu1) }

func exp1(x float32) float32  { return float32(math.Exp(float64(x))) }
func log1(x float32) float32  { return float32(math.Log(float64(x))) }
func erf1(x float32) float32  { return float32(math.Erf(float64(x))) }
func tanh1(x float32) float32 { return float32(math.Tanh(float64(x))) }
func sin1(x float32) float32  { return float32(math.Sin(float64(x))) }
func cos1(x float32) float32  { return float32(math.Cos(float64(x))) }

func sigmoid1(x float32) float32 { return 1 / (1 + exp1(-x)) }
func silu1(x float32) float32    { return x * sigmoid1(x) }

func gelu1(x float32) float32 { h := 0.5 * x; return FMA(h, erf1(x*math.Sqrt2/2), h) }

func geluTanhArg(x float32) float32 {
	const c, c3 = 0.7978845608028654, 0.7978845608028654 * 0.044715
	return x * FMA(x*x, c3, c)
}

func geluTanh1(x float32) float32 { h := 0.5 * x; return FMA(h, tanh1(geluTanhArg(x)), h) }
