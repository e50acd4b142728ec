package kernel

import (
	"math"
	"math/big"
)

// Powers returns base^(-i/n) for i = 0..count-1, each the float64 nearest to the exact value: the frequencies of rotary and sinusoidal positions. It works
// in 128 bits, because the powers of package math differ between processors.
func Powers(base float64, n, count int) []float64 {
	if !(base > 0) || base > math.MaxFloat64 || n < 1 {
		panic("kernel: Powers: no such root")
	}
	const bits = 128
	float := func(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }
	one, b := float(1), float(base)
	// Newton's method for x^-n = base from a start that is good to float64: the error is squared twice, to 2^-128.
	x := float(math.Pow(base, -1/float64(n)))
	for range 3 {
		p := float(1)
		for range n {
			p.Mul(p, x)
		}
		e := float(0).Sub(one, p.Mul(p, b)) // 1 - base·xⁿ
		e.Mul(e, x)
		e.Quo(e, float(float64(n)))
		x.Add(x, e)
	}
	out := make([]float64, count)
	p := float(1)
	for i := range out {
		out[i], _ = p.Float64()
		p.Mul(p, x)
	}
	return out
}

// SinCos sets sin and cos of the angles position·frequency, computed in float64 with every rounding written out and rounded once at the end.
func SinCos(sin, cos []float32, position int, frequency []float64) {
	same3(len(frequency), len(sin), len(cos))
	for i, f := range frequency {
		a := float64(float64(position) * f)
		quarters := math.RoundToEven(float64(a * (2 / math.Pi)))
		r := a - float64(quarters*(math.Pi/2))
		n := int(int64(quarters) & 3)
		sin[i], cos[i] = turn(n, r), turn(n+1, r)
	}
}
