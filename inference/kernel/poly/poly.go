// Package poly holds the coefficients of the elementary functions, one source for the portable code and for the assembly generator.
// Polynomials are listed highest power first and evaluated by fused multiply-adds in that order. Exp, Log and Erf follow minimax
// approximations published by N. Juffa; Tanh is a minimax fit of its own.
package poly

// Range reduction and limits of exp: x = n·ln2 + f, n = fma(x, Log2E, Magic) - Magic, f = fma(n, NegLn2Lo, fma(n, NegLn2Hi, x)).
const (
	ExpLow   = -110 // below, e^x rounds to zero
	ExpHigh  = 89   // above, it is infinite
	Log2E    = 0x1.715476p0
	Magic    = 0x1.8p23
	NegLn2Hi = -0x1.62e400p-1
	NegLn2Lo = -0x1.7f7d1cp-20
)

// Exp approximates e^f on |f| <= ln2/2.
var Exp = [...]float32{0x1.694000p-10, 0x1.125edcp-7, 0x1.555b5ap-5, 0x1.555450p-3, 0x1.fffff6p-2, 1, 1}

// ErfSplit parts the two approximations of erf: x + x·ErfSmall(x²) below, 1 - e^(ErfTail(|x|)·|x| - |x|) above.
const ErfSplit = 475.0 / 512

var (
	// ErfSmall is evaluated at x².
	ErfSmall = [...]float32{-0x1.38e000p-11, 0x1.471a58p-8, -0x1.b691b2p-6, 0x1.ce1c44p-4, -0x1.812700p-2, 0x1.06eba8p-3}
	// ErfTail is evaluated at t = |x|: the first two coefficients form r, the next two u, then r = fma(r, t², u) and the rest follow.
	ErfTail = [...]float32{-0x1.220000p-16, 0x1.91cfb2p-12, -0x1.fd1438p-9, 0x1.8d6342p-6, -0x1.b55cb8p-4, -0x1.450aa0p-1, -0x1.079d0cp-3}
)

// TanhSplit parts the two forms of tanh: x + x·x²·Tanh(x²) below, 1 - 2/(1+e^2|x|) above.
const TanhSplit = 307.0 / 512

// Tanh is evaluated at x².
var Tanh = [...]float32{-0x1.825856p-8, 0x1.54b8a0p-6, -0x1.b898dep-5, 0x1.1109aep-3, -0x1.55553ep-2}

// Log: two interleaved polynomials in m² for log(1+m), |m| <= 1/3, then the last terms in m.
var (
	LogEven = [...]float32{-0x1.0ae000p-3, -0x1.f198b2p-4, -0x1.55b36cp-3, -0x1.fffe02p-3}
	LogOdd  = [...]float32{0x1.208000p-3, 0x1.1e5740p-3, 0x1.99d8b2p-3}
	LogLast = [...]float32{0x1.5554fap-2, -0.5}
)

// Ln2 is what one step of the exponent adds to a logarithm.
const Ln2 = 0x1.62e430p-1

// Constants of GELU and its derivative.
const (
	TwoOverSqrtPi = 1.1283791670955126 // 2/√π, of the derivative of erf

	SqrtHalf    = 0.70710678118654752440 // 1/√2
	InvSqrt2Pi  = 0.39894228040143267794 // 1/√(2π)
	GELUTanhC   = 0.79788456080286535588 // √(2/π)
	GELUTanhC3  = GELUTanhC * 0.044715
	GELUTanhDC3 = 3 * GELUTanhC3
)
