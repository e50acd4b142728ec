package kernel

// rowUnit is about how many elements one unit of a row kernel covers.
const rowUnit = 8192

// overRows calls f on row ranges of about rowUnit elements.
func overRows(threads, rows, n int, f func(lo, hi int)) {
	per := max(1, rowUnit/max(1, n))
	Parallel(threads, (rows+per-1)/per, func(u int) {
		lo, hi := span(rows, per, u)
		f(lo, hi)
	})
}

func rowsFit(rows, n int, xs ...[]float32) {
	for _, x := range xs {
		if len(x) < rows*n {
			panic("kernel: rows shorter than their shape")
		}
	}
}

// Softmax sets each row of dst (rows,n) to the softmax of scale*src: v = scale*src, e = exp(v-max), e/sum. An element of -Inf contributes exactly nothing.
// dst may be src.
func Softmax(threads, rows, n int, dst, src []float32, scale float32) {
	rowsFit(rows, n, dst, src)
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			t.softmax(dst[r*n:(r+1)*n], src[r*n:(r+1)*n], scale)
		}
	})
}

func (t *table) softmaxParts(dst, src []float32, scale float32) {
	t.scale(dst, src, scale)
	t.exp(dst, dst, t.max(dst))
	t.divide(dst, dst, t.sum(dst))
}

// SoftmaxBackward sets dst = scale * y * (dy - Σ y·dy) for each row, where y is the softmax. dst may be dy.
func SoftmaxBackward(threads, rows, n int, dst, dy, y []float32, scale float32) {
	rowsFit(rows, n, dst, dy, y)
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			d, g, p := dst[r*n:(r+1)*n], dy[r*n:(r+1)*n], y[r*n:(r+1)*n]
			t.softback(d, p, g, t.dot(p, g), scale)
		}
	})
}

// LogSoftmax sets each row of dst to src - max - log Σ exp(src - max). dst may be src.
func LogSoftmax(threads, rows, n int, dst, src []float32) {
	rowsFit(rows, n, dst, src)
	t := current.Load()
	overRows(threads, rows, n, func(lo, hi int) {
		s := scratch(n)
		defer release(s)
		e := *s
		for r := lo; r < hi; r++ {
			d, x := dst[r*n:(r+1)*n], src[r*n:(r+1)*n]
			m := t.max(x)
			t.exp(e, x, m)
			l := log1(t.sum(e))
			for i, v := range x {
				d[i] = (v - m) - l
			}
		}
	})
}

func softBackGeneric(dst, a, b []float32, s, t float32) {
	for i, v := range a {
		dst[i] = float32(float32((b[i]-s)*v) * t)
	}
}
