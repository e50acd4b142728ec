package kernel

import "math"

// LayerNorm normalises each row of src (rows,n): two passes, mean = Σx/n, var = Σ(x-mean)²/n, rstd = 1/√(var+eps),
// dst = fma((x-mean)*rstd, gamma, beta). mean and rstd (rows each) are filled where they are not nil, for LayerNormBackward. dst may be src.
func LayerNorm(threads, rows, n int, dst, src, gamma, beta []float32, eps float32, mean, rstd []float32) {
	rowsFit(rows, n, dst, src)
	if len(gamma) != n || len(beta) != n || (mean != nil && len(mean) < rows) || (rstd != nil && len(rstd) < rows) {
		panic("kernel: LayerNorm: parameters do not fit")
	}
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			x := src[r*n : (r+1)*n]
			mu := t.sum(x) / float32(n)
			v := t.squares(x, mu) / float32(n)
			rs := 1 / float32(math.Sqrt(float64(v+eps)))
			if mean != nil {
				mean[r] = mu
			}
			if rstd != nil {
				rstd[r] = rs
			}
			t.norm(dst[r*n:(r+1)*n], x, gamma, beta, mu, rs)
		}
	})
}

func normGeneric(dst, src, gamma, beta []float32, mean, rstd float32) {
	for i, v := range src {
		dst[i] = FMA((v-mean)*rstd, gamma[i], beta[i])
	}
}

// LayerNormBackward sets dx = rstd * (g - Σg/n - x̂·Σ(g·x̂)/n) with g = dy*gamma and x̂ = (x-mean)*rstd. dx may be dy.
func LayerNormBackward(threads, rows, n int, dx, dy, x, gamma, mean, rstd []float32) {
	rowsFit(rows, n, dx, dy, x)
	if len(gamma) != n || len(mean) < rows || len(rstd) < rows {
		panic("kernel: LayerNormBackward: parameters do not fit")
	}
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		s := scratch(2 * n)
		defer release(s)
		g, xh := (*s)[:n], (*s)[n:2*n]
		for r := lo; r < hi; r++ {
			mu, rs := mean[r], rstd[r]
			t.standard(xh, x[r*n:(r+1)*n], mu, rs)
			t.mul(g, dy[r*n:(r+1)*n], gamma)
			mg := t.sum(g) / float32(n)
			mx := t.dot(g, xh) / float32(n)
			t.normback(dx[r*n:(r+1)*n], xh, g, -mx, mg, rs)
		}
	})
}

func standardGeneric(dst, a []float32, mean, rstd float32) {
	for i, v := range a {
		dst[i] = (v - mean) * rstd
	}
}

func normBackGeneric(dst, a, b []float32, s, t, u float32) {
	for i, v := range a {
		dst[i] = FMA(v, s, b[i]-t) * u
	}
}
