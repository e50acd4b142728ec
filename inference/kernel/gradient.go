package kernel

// Gradient kernels: dst = dy times the derivative at x, or from the output y where the name of the parameter says so. dst may be dy.

// GELUGrad is dy·(Φ(x) + x·φ(x)), the derivative of the exact GELU.
func GELUGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	for i, v := range x {
		const c = 0.3989422804014327 // 1/√(2π)
		phi := c * exp1(-0.5*float32(v*v))
		cdf := FMA(0.5, erf1(v*0.7071067811865476), 0.5)
		dst[i] = dy[i] * FMA(v, phi, cdf)
	}
}

// GELUTanhGrad is the derivative of GELUTanh.
func GELUTanhGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	for i, v := range x {
		const c, c3 = 0.7978845608028654, 3 * 0.7978845608028654 * 0.044715
		t := tanh1(geluTanhArg(v))
		du := FMA(v*v, c3, c)
		dst[i] = dy[i] * FMA(0.5*v*FMA(-t, t, 1), du, FMA(0.5, t, 0.5))
	}
}

// SiLUGrad is dy·s·(1+x·(1-s)) with s the sigmoid of x.
func SiLUGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	for i, v := range x {
		s := sigmoid1(v)
		dst[i] = dy[i] * (s * FMA(v, 1-s, 1))
	}
}

// TanhGrad is dy·(1-y²) from the output y.
func TanhGrad(dst, dy, y []float32) {
	same3(len(dst), len(dy), len(y))
	for i, v := range y {
		dst[i] = dy[i] * FMA(-v, v, 1)
	}
}

// SigmoidGrad is dy·y·(1-y) from the output y.
func SigmoidGrad(dst, dy, y []float32) {
	same3(len(dst), len(dy), len(y))
	for i, v := range y {
		dst[i] = dy[i] * (v * (1 - v))
	}
}

// ErfGrad is dy·2/√π·e^(-x²).
func ErfGrad(dst, dy, x []float32) {
	same3(len(dst), len(dy), len(x))
	for i, v := range x {
		dst[i] = dy[i] * (1.1283791670955126 * exp1(-float32(v*v)))
	}
}
