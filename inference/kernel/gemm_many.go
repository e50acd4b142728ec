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
	blocks := 0 // of columns
	for _, p := range products {
		p.check(m, len(a), lda)
		blocks += (panelsOf(p.B.N) + unitPanels - 1) / unitPanels
	}
	h := unitHeight(workers(threads), m, blocks)
	t := current.Load()
	Parallel(threads, blocks*((m+h-1)/h), func(u int) {
		i0, col := u/blocks*h, u%blocks
		for _, p := range products {
			cols := (panelsOf(p.B.N) + unitPanels - 1) / unitPanels
			if col < cols {
				gemmUnit(t, min(h, m-i0), a[i0*lda:], lda, p.B, col*unitPanels, p.C, i0, p.B.N, p.Epilogue)
				return
			}
			col -= cols
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
