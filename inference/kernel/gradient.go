package kernel

import "vitrine/inference/kernel/poly"

// Gradient kernels: dst = dy times the derivative at x, or from the output y where the name of the parameter says so. dst may be a source.

// GELUGrad is dy·(Φ(x) + x·φ(x)), the derivative of the exact GELU.
func GELUGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	current.Load().gelugrad(dst, dy, x)
}

// GELUTanhGrad is the derivative of GELUTanh.
func GELUTanhGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	current.Load().gelutanhgrad(dst, dy, x)
}

// SiLUGrad is dy·s·(1+x·(1-s)) with s the sigmoid of x.
func SiLUGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	current.Load().silugrad(dst, dy, x)
}

func geluGrad1(dy, x float32) float32 {
	phi := exp1(float32(x*x)*-0.5) * poly.InvSqrt2Pi
	return FMA(x, phi, FMA(0.5, erf1(x*poly.SqrtHalf), 0.5)) * dy
}

func geluTanhGrad1(dy, x float32) float32 {
	t := tanh1(geluTanhArg(x))
	du := FMA(x*x, poly.GELUTanhDC3, poly.GELUTanhC)
	return FMA(float32(x*0.5)*FMA(-t, t, 1), du, FMA(0.5, t, 0.5)) * dy
}

func siluGrad1(dy, x float32) float32 {
	s := sigmoid1(x)
	return float32(s*FMA(1-s, x, 1)) * dy
}

// TanhGrad is dy·(1-y²) from the output y.
func TanhGrad(dst, dy, y []float32) {
	same3(len(dst), len(dy), len(y))
	current.Load().tanhgrad(dst, dy, y)
}

// SigmoidGrad is dy·y·(1-y) from the output y.
func SigmoidGrad(dst, dy, y []float32) {
	same3(len(dst), len(dy), len(y))
	current.Load().sigmoidgrad(dst, dy, y)
}

// ErfGrad is dy·2/√π·e^(-x²).
func ErfGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	current.Load().erfgrad(dst, dy, x)
}

func tanhGrad1(dy, y float32) float32 { return dy * FMA(-y, y, 1) }

func sigmoidGrad1(dy, y float32) float32 { return dy * float32(y*(1-y)) }

func erfGrad1(dy, x float32) float32 { return dy * float32(poly.TwoOverSqrtPi*exp1(-float32(x*x))) }
