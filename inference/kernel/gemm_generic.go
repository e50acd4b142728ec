package kernel

import "math"

// gemmGeneric is the portable tile. Operands are widened to float64 once, the chain values stay float64 variables that hold float32 values, and a step is
// product (exact), sum, and one rounding; the rare sum that lies between two float32 values takes the exact way. Where products may be so small that sums
// of them can be subnormal and inexact at once, every step takes it.
func gemmGeneric(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	if k == 0 || k > depth || rows == 1 {
		gemmExact(rows, panels, k, a, lda, b, bs, c, ldc, load)
		return
	}
	var wide [panelWidth / 4][depth * 4]float64
	var pair [2 * depth]float64
	for p := range panels {
		least := widenPanel(&wide, b[p*bs:], k)
		for i := 0; i < rows; i += 2 {
			next := min(i+1, rows-1) // an odd last row is computed twice
			if least+widenPair(pair[:2*k], a[i*lda:i*lda+k], a[next*lda:next*lda+k]) < leastExponents {
				gemmExact(next-i+1, 1, k, a[i*lda:], lda, b[p*bs:], bs, c[i*ldc+p*panelWidth:], ldc, load)
				continue
			}
			c0, c1 := c[i*ldc+p*panelWidth:], c[next*ldc+p*panelWidth:]
			for q := range wide {
				var acc [8]float64
				if load {
					for j := range 4 {
						acc[2*j], acc[2*j+1] = float64(c0[4*q+j]), float64(c1[4*q+j])
					}
				}
				chains(pair[:2*k], wide[q][:4*k], &acc)
				for j := range 4 {
					c0[4*q+j], c1[4*q+j] = float32(acc[2*j]), float32(acc[2*j+1])
				}
			}
		}
	}
}

// leastExponents is the least sum of the biased exponents of two factors whose product, of 48 digits, is a multiple of 2^-149. A sum of such products that
// is subnormal is exact, so only the ties of normal numbers need care.
const leastExponents = 2*127 - 149 + 46

// widenPanel spreads k rows of a panel over four strips of four columns and returns the least biased exponent of a value that is not zero.
func widenPanel(wide *[panelWidth / 4][depth * 4]float64, b []float32, k int) (exponent int) {
	least := ^uint32(0)
	for kk := range k {
		v := (*[panelWidth]float32)(b[kk*panelWidth:])
		for q := range wide {
			w := (*[4]float64)(wide[q][4*kk:])
			w[0], w[1], w[2], w[3] = float64(v[4*q]), float64(v[4*q+1]), float64(v[4*q+2]), float64(v[4*q+3])
		}
		for _, x := range v {
			least = min(least, magnitude(x))
		}
	}
	return int(least >> 24)
}

// widenPair interleaves two rows and returns the least biased exponent of a value that is not zero.
func widenPair(pair []float64, a0, a1 []float32) (exponent int) {
	least := ^uint32(0)
	a1 = a1[:len(a0)]
	for kk, v := range a0 {
		w := a1[kk]
		pair[2*kk], pair[2*kk+1] = float64(v), float64(w)
		least = min(least, magnitude(v), magnitude(w))
	}
	return int(least >> 24)
}

// magnitude orders values by size, with the exponent in the top byte; zero comes last.
func magnitude(x float32) uint32 { return math.Float32bits(x)<<1 - 1 }

// A float64 whose low 29 bits are tie lies exactly between two normal float32 values.
const tieMask, tie = 1<<29 - 1, 1 << 28

// chains runs eight chains, acc[2*column+row], over pairs of row values a and quadruples of column values b.
func chains(a, b []float64, acc *[8]float64) {
	for len(a) > 0 {
		left, e := chainsFast(a, b, acc)
		if left == 0 {
			return
		}
		at := len(a)/2 - left
		for ; e < 8; e++ {
			acc[e] = stepExact(a[2*at+e&1]*b[4*at+e/2], acc[e])
		}
		a, b = a[2*at+2:], b[4*at+4:]
	}
}

func stepExact(p, z float64) float64 { return float64(roundOdd(p, z, p+z)) }

// chainsFast runs until the end or until a sum is a tie; it returns how many steps are left, the current one included, and the first chain that has not
// taken the current step.
func chainsFast(a, b []float64, acc *[8]float64) (left, e int) {
	c0, c1, c2, c3, c4, c5, c6, c7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for len(a) >= 2 && len(b) >= 4 {
		aa, bb := (*[2]float64)(a), (*[4]float64)(b)
		a0, a1 := aa[0], aa[1]
		x := bb[0]
		s := a0*x + c0
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 0
			break
		}
		c0 = float64(float32(s))
		s = a1*x + c1
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 1
			break
		}
		c1 = float64(float32(s))
		x = bb[1]
		s = a0*x + c2
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 2
			break
		}
		c2 = float64(float32(s))
		s = a1*x + c3
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 3
			break
		}
		c3 = float64(float32(s))
		x = bb[2]
		s = a0*x + c4
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 4
			break
		}
		c4 = float64(float32(s))
		s = a1*x + c5
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 5
			break
		}
		c5 = float64(float32(s))
		x = bb[3]
		s = a0*x + c6
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 6
			break
		}
		c6 = float64(float32(s))
		s = a1*x + c7
		if uint32(math.Float64bits(s))&tieMask == tie {
			e = 7
			break
		}
		c7 = float64(float32(s))
		a, b = a[2:], b[4:]
	}
	acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7] = c0, c1, c2, c3, c4, c5, c6, c7
	return len(a) / 2, e
}

// gemmExact takes every operand one checked step at a time.
func gemmExact(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	for p := range panels {
		for i := range rows {
			var acc [panelWidth]float32
			out := c[i*ldc+p*panelWidth : i*ldc+(p+1)*panelWidth]
			if load {
				copy(acc[:], out)
			}
			for kk := range k {
				av := a[i*lda+kk]
				bb := (*[panelWidth]float32)(b[p*bs+kk*panelWidth:])
				for j := range acc {
					acc[j] = FMA(av, bb[j], acc[j])
				}
			}
			copy(out, acc[:])
		}
	}
}
