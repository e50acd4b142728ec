package kernel

import "math"

// FMA returns x*y+z rounded once to float32, on every platform.
//
// The product of two float32 is exact in float64. The float64 sum, rounded a second time to float32, is wrong only where it lies exactly
// between two float32 values, that is where its low 28 bits are zero; there the sum is first rounded to odd.
func FMA(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	s := p + float64(z)
	if uint32(math.Float64bits(s))&0x0fffffff != 0 {
		return float32(s)
	}
	return roundOdd(p, float64(z), s)
}

// roundOdd returns p+z, whose float64 rounding is s, rounded once to float32.
func roundOdd(p, z, s float64) float32 {
	if s-s != 0 { // infinite or NaN
		return float32(s)
	}
	back := s - p
	e := (p - (s - back)) + (z - back) // exact error of s
	if e == 0 {
		return float32(s)
	}
	// s is even here (its low bits are zero), so the odd neighbour on the side of the error stands for the exact sum.
	b := math.Float64bits(s)
	if (e > 0) == (s > 0) {
		b++
	} else {
		b--
	}
	return float32(math.Float64frombits(b))
}
