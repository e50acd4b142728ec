package kernel

import (
	"math"
	"math/bits"
)

// Sine and cosine work in float64 with every rounding written out, so that no platform fuses two of them; they run once for each position of a model
// (rotary embeddings), not in inner loops. The result is the correctly rounded one but for about one argument in 10^8.

// twoOverPi holds the first 256 bits of 2/π after the binary point.
var twoOverPi = [4]uint64{0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561}

// quarter reduces a finite x to n quarter turns and a rest in [-π/4, π/4].
func quarter(x float32) (n int, rest float64) {
	b := math.Float32bits(x)
	e := int(b>>23&0xff) - 150
	m := uint64(b&0x7fffff | 0x800000)
	if e < -40 { // |x| < 2^-16
		return 0, float64(x)
	}
	// m·2^e·2/π modulo 4: the product with the 192 bits of 2/π that start three places before what an integer multiple of 4 would use.
	skip := max(0, e-3) // bits of 2/π whose products are multiples of 8
	var w [3]uint64
	for i := range w {
		w[i] = window(skip + 64*i)
	}
	_, lo0 := bits.Mul64(m, w[0])
	hi1, lo1 := bits.Mul64(m, w[1])
	hi2, _ := bits.Mul64(m, w[2])
	hi0, _ := bits.Mul64(m, w[0])
	lo1, c := bits.Add64(lo1, hi2, 0)
	lo0, c = bits.Add64(lo0, hi1, c)
	hi0 += c
	// The value is (hi0, lo0, lo1) · 2^(e-skip) with the point after hi0. Bring it to fixed point: whole turns in the top of a 128-bit fraction.
	shift := e - skip // <= 3
	frac, next := lo0, lo1
	whole := hi0
	for ; shift > 0; shift-- {
		whole = whole<<1 | frac>>63
		frac = frac<<1 | next>>63
		next <<= 1
	}
	for ; shift < 0; shift++ {
		next = next>>1 | frac<<63
		frac = frac>>1 | whole<<63
		whole >>= 1
	}
	if frac>>63 == 1 { // nearest quarter
		whole++
	}
	f := fixed(frac, next)
	n = int(whole & 3)
	rest = f * (math.Pi / 2)
	if b>>31 == 1 {
		return (4 - n) & 3, -rest
	}
	return n, rest
}

// window is 64 bits of 2/π from bit at on.
func window(at int) uint64 {
	i, s := at/64, uint(at%64)
	if i >= len(twoOverPi) {
		return 0
	}
	w := twoOverPi[i] << s
	if s > 0 && i+1 < len(twoOverPi) {
		w |= twoOverPi[i+1] >> (64 - s)
	}
	return w
}

// fixed is the signed 128-bit fraction hi.lo as float64, in [-1/2, 1/2).
func fixed(hi, lo uint64) float64 {
	neg := hi>>63 == 1
	if neg {
		var c uint64
		lo, c = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, c)
	}
	z := bits.LeadingZeros64(hi)
	if z > 0 {
		hi = hi<<z | lo>>(64-z)
	}
	f := math.Ldexp(float64(hi), -64-z)
	if neg {
		return -f
	}
	return f
}

// sinPoly and cosPoly are Taylor sums, good to 1e-17 on [-π/4, π/4].
func sinPoly(r float64) float64 {
	s := float64(r * r)
	p := -1.0 / 1307674368000
	for _, c := range [...]float64{1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6} {
		p = float64(p*s) + c
	}
	return r + float64(float64(r*s)*p)
}

func cosPoly(r float64) float64 {
	s := float64(r * r)
	p := 1.0 / 20922789888000
	for _, c := range [...]float64{-1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5, 1} {
		p = float64(p*s) + c
	}
	return p
}

func sin1(x float32) float32 {
	if x == 0 || x-x != 0 {
		return x - (x - x) // the zero keeps its sign, an infinity becomes NaN
	}
	n, r := quarter(x)
	return turn(n, r)
}

func cos1(x float32) float32 {
	if x-x != 0 {
		return x - x
	}
	n, r := quarter(x)
	return turn(n+1, r)
}

func turn(n int, r float64) float32 {
	switch n & 3 {
	case 0:
		return float32(sinPoly(r))
	case 1:
		return float32(cosPoly(r))
	case 2:
		return float32(-sinPoly(r))
	}
	return float32(-cosPoly(r))
}
