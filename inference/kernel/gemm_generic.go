package kernel

import "math"

// gemmGeneric is the portable tile. Operands are widened to float64 once, the chain values stay float64 variables that hold float32 values, and a step is
// product (exact), sum, and one rounding; the rare sum that lies between two float32 values takes the exact way.
func gemmGeneric(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load, plain bool) {
	if k == 0 || !plain {
		gemmExact(rows, panels, k, a, lda, b, bs, c, ldc, load)
		return
	}
	var wide [depth * panelWidth]float64
	var wa [2 * depth]float64
	for p := range panels {
		for i, v := range b[p*bs : p*bs+k*panelWidth] {
			wide[i] = float64(v)
		}
		for i := 0; i < rows; i += 2 {
			r1 := min(i+1, rows-1) // an odd last row is computed twice
			a0, a1 := a[i*lda:i*lda+k], a[r1*lda:r1*lda+k]
			for kk := range k {
				wa[2*kk], wa[2*kk+1] = float64(a0[kk]), float64(a1[kk])
			}
			c0, c1 := c[i*ldc+p*panelWidth:], c[r1*ldc+p*panelWidth:]
			for j := 0; j < panelWidth; j += 4 {
				var acc [8]float64
				if load {
					for q := range 4 {
						acc[q], acc[4+q] = float64(c0[j+q]), float64(c1[j+q])
					}
				}
				chain2x4(wa[:2*k], wide[j:], &acc)
				for q := range 4 {
					c0[j+q], c1[j+q] = float32(acc[q]), float32(acc[4+q])
				}
			}
		}
	}
}

const tieMask, tie = 1<<29 - 1, 1 << 28

// between reports that a float64 lies, as far as its bits show, exactly between two normal float32 values.
func between(s float64) bool { return uint32(math.Float64bits(s))&tieMask == tie }

// chain2x4 runs eight chains: a holds k pairs of row values, b rows of 16 values of which the first four are used.
func chain2x4(a, b []float64, acc *[8]float64) {
	k := 0
	for {
		k = chain2x4Fast(a, b, acc, k)
		if 2*k >= len(a) {
			return
		}
		for q := range 4 {
			bv := b[k*panelWidth+q]
			acc[q] = stepExact(a[2*k]*bv, acc[q])
			acc[4+q] = stepExact(a[2*k+1]*bv, acc[4+q])
		}
		k++
	}
}

func stepExact(p, z float64) float64 { return float64(roundOdd(p, z, p+z)) }

// chain2x4Fast runs from k on until the end or until a step needs the exact way, and returns the k it stopped at.
func chain2x4Fast(a, b []float64, acc *[8]float64, k int) int {
	c0, c1, c2, c3, c4, c5, c6, c7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for ; 2*k+1 < len(a); k++ {
		a0, a1 := a[2*k], a[2*k+1]
		bb := (*[4]float64)(b[k*panelWidth:])
		s0 := a0*bb[0] + c0
		s1 := a0*bb[1] + c1
		s2 := a0*bb[2] + c2
		s3 := a0*bb[3] + c3
		if between(s0) || between(s1) || between(s2) || between(s3) {
			break
		}
		s4 := a1*bb[0] + c4
		s5 := a1*bb[1] + c5
		s6 := a1*bb[2] + c6
		s7 := a1*bb[3] + c7
		if between(s4) || between(s5) || between(s6) || between(s7) {
			break
		}
		c0, c1, c2, c3 = float64(float32(s0)), float64(float32(s1)), float64(float32(s2)), float64(float32(s3))
		c4, c5, c6, c7 = float64(float32(s4)), float64(float32(s5)), float64(float32(s6)), float64(float32(s7))
	}
	acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7] = c0, c1, c2, c3, c4, c5, c6, c7
	return k
}

// gemmExact takes every operand, subnormal products included, one checked step at a time.
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
