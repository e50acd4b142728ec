package kernel

// Batch is a batch of equally shaped matrices inside a larger slice: element (r,c) of matrix (o,i) lies at o*Outer + i*Inner + r*Row + c. So the heads of a
// (batch, tokens, heads·width) value are {Outer: tokens·heads·width, Inner: width, Row: heads·width}. The order of the indices is free and matrices may share
// elements (a stride of zero); results must not.
type Batch struct {
	Data              []float32
	Outer, Inner, Row int
	Trans             bool // element (r,c) lies at ... + c*Row + r
}

// at is the slice from element (0,0) of matrix (o,i) on.
func (b Batch) at(o, i int) []float32 { return b.Data[o*b.Outer+i*b.Inner:] }

// fits panics with the text unless all outer×inner matrices of rows×cols lie inside.
func (b Batch) fits(outer, inner, rows, cols int, text string) {
	if b.Trans {
		rows, cols = cols, rows
	}
	if outer*inner*rows*cols == 0 {
		return
	}
	if b.Outer < 0 || b.Inner < 0 || b.Row < cols && rows > 1 || len(b.Data) < (outer-1)*b.Outer+(inner-1)*b.Inner+(rows-1)*b.Row+cols {
		panic(text)
	}
}

// MatMul sets C[i] (m,n) = A[i] times B[i] for i < batch, all dense and contiguous. A[i] is (m,k), or (k,m) when transA; B[i] is (k,n), or (n,k) when transB.
func MatMul(threads, batch, m, n, k int, a, b, c []float32, transA, transB bool) {
	dense := func(x []float32, rows, cols int, trans bool) Batch {
		if trans {
			return Batch{Data: x, Outer: rows * cols, Row: rows, Trans: true}
		}
		return Batch{Data: x, Outer: rows * cols, Row: cols}
	}
	MatMulBatch(threads, batch, 1, m, n, k, dense(a, m, k, transA), dense(b, k, n, transB), dense(c, m, n, false))
}

// MatMulBatch sets C (m,n) = A (m,k) times B (k,n) for each of outer×inner matrices, read and written in place. C must overlap neither and is not Trans.
func MatMulBatch(threads, outer, inner, m, n, k int, a, b, c Batch) {
	a.fits(outer, inner, m, k, "kernel: MatMul: operand shorter than its shape")
	b.fits(outer, inner, k, n, "kernel: MatMul: operand shorter than its shape")
	c.fits(outer, inner, m, n, "kernel: MatMul: operand shorter than its shape")
	if c.Trans || outer*inner*m*n == 0 {
		if c.Trans {
			panic("kernel: MatMul: a transposed result")
		}
		return
	}
	t := current.Load()
	within := 1 // threads of one product
	if outer*inner == 1 {
		within = threads
	}
	Parallel(threads, outer*inner, func(u int) {
		o, i := u/inner, u%inner
		x, lda := a.at(o, i), a.Row
		if a.Trans {
			s := scratch(m * k)
			defer release(s)
			t.transpose(*s, k, x, a.Row, k, m)
			x, lda = *s, k
		}
		if within == 1 && t.inPlace(m, n, b.Trans) {
			t.productRows(m, n/panelWidth, k, x, lda, b.at(o, i), b.Row, c.at(o, i), c.Row)
			return
		}
		s := scratch(panelsOf(n) * k * panelWidth)
		defer release(s)
		t.pack(*s, b.at(o, i), b.Row, k, n, b.Trans)
		p := Panel{K: k, N: n, data: *s}
		gemmGrid(within, m, x, lda, &p, c.at(o, i), c.Row, Epilogue{})
	})
}

// inPlace reports that rows of B, n values wide, are best read where they lie: packing costs more than it saves for few rows of A.
func (t *table) inPlace(m, n int, trans bool) bool {
	return t.gemmRows != nil && !trans && n%panelWidth == 0 && m <= 64
}

// productRows computes whole panels of a product whose B (k rows, ldb apart) is read in place.
func (t *table) productRows(rows, panels, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	for i := 0; i < rows; i += unitRows {
		h := min(unitRows, rows-i)
		for k0 := 0; k0 < k || k0 == 0; k0 += depth {
			t.gemmRows(h, panels, min(depth, k-k0), a[i*lda+k0:], lda, b[k0*ldb:], ldb, c[i*ldc:], ldc, k0 > 0)
		}
	}
}
