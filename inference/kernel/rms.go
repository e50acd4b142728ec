package kernel

import "math"

// RMSNorm scales each row of src (rows,n) by its root mean square: rstd = 1/√(Σx²/n+eps) in float64, rounded once, dst = (x*rstd)*gamma (Zhang and
// Sennrich 2019). rstd (one a row) is filled where it is not nil, for RMSNormBackward. dst may be src.
func RMSNorm(threads, rows, n int, dst, src, gamma []float32, eps float64, rstd []float32) {
	rowsFit(rows, n, dst, src)
	if len(gamma) != n || (rstd != nil && len(rstd) < rows) {
		panic("kernel: RMSNorm: parameters do not fit")
	}
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			x, y := src[r*n:(r+1)*n], dst[r*n:(r+1)*n]
			v := float64(t.squares(x, 0)) / float64(n)
			rs := float32(1 / math.Sqrt(v+eps))
			if rstd != nil {
				rstd[r] = rs
			}
			t.scale(y, x, rs)
			t.mul(y, y, gamma)
		}
	})
}

// RMSNormBackward sets dx = rstd * (g - x̂·Σ(g·x̂)/n) with g = dy*gamma and x̂ = x*rstd. dx may be dy.
func RMSNormBackward(threads, rows, n int, dx, dy, x, gamma, rstd []float32) {
	rowsFit(rows, n, dx, dy, x)
	if len(gamma) != n || len(rstd) < rows {
		panic("kernel: RMSNormBackward: parameters do not fit")
	}
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		s := scratch(2 * n)
		defer release(s)
		g, xh := (*s)[:n], (*s)[n:2*n]
		for r := lo; r < hi; r++ {
			t.scale(xh, x[r*n:(r+1)*n], rstd[r])
			t.mul(g, dy[r*n:(r+1)*n], gamma)
			t.normback(dx[r*n:(r+1)*n], xh, g, -(t.dot(g, xh) / float32(n)), 0, rstd[r])
		}
	})
}
