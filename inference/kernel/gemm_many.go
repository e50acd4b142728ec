package kernel

// Product is one of several matrix products that share A: C (m,N; dense) is A times B, then the epilogue.
type Product struct {
	B        *Panel
	C        []float32
	Epilogue Epilogue
}

// GemmMany computes products of one A (m,K; row stride lda) in one go, with the bits of one Gemm each: their columns are
// handed out to the threads together, so that the threads meet once. No C may overlap A or another C.
func GemmMany(threads, m int, a []float32, lda int, products ...Product) {
	if m == 0 {
		return
	}
	panels := 0
	for _, p := range products {
		p.check(m, len(a), lda)
		panels += panelsOf(p.B.N)
	}
	if panels == 0 {
		return
	}
	t := current.Load()
	g := newGrid(t, workers(threads), m, panels)
	Parallel(threads, len(g.pieces), func(u int) {
		i0, rows, at, width := g.unit(u)
		for _, p := range products {
			all := panelsOf(p.B.N)
			if n := min(width, all-at); n > 0 {
				gemmUnit(t, rows, a[i0*lda:], lda, p.B, at, n, p.C, i0, p.B.N, p.Epilogue)
				width -= n
			}
			at = max(0, at-all)
			if width == 0 {
				return
			}
		}
	})
}

func (p *Product) check(m, a, lda int) {
	n := p.B.N
	if lda < p.B.K || a < (m-1)*lda+p.B.K || len(p.C) < m*n {
		panic("kernel: Gemm: operand shorter than its shape")
	}
	if p.Epilogue.Bias != nil && len(p.Epilogue.Bias) != n {
		panic("kernel: Gemm: bias does not fit")
	}
	if p.Epilogue.Residual != nil && len(p.Epilogue.Residual) < m*n {
		panic("kernel: Gemm: residual does not fit")
	}
}
