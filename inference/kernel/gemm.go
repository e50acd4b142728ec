package kernel

// Act is the activation of an epilogue.
type Act uint8

// The activations. GELU is the exact form with erf.
const (
	ActNone Act = iota
	ActGELU
	ActGELUTanh
	ActReLU
	ActSiLU
	ActTanh
)

// Epilogue is what happens to an element after its chain, in this order: + Bias, + Residual, Act.
type Epilogue struct {
	Bias     []float32 // one per column, or nil
	Residual []float32 // shaped and strided like C, or nil
	Act      Act
}

// Gemm sets C (m,N; row stride ldc) to A (m,K; row stride lda) times B, then the epilogue. C must not overlap A.
func Gemm(threads, m int, a []float32, lda int, b *Panel, c []float32, ldc int, ep Epilogue) {
	k, n := b.K, b.N
	if m == 0 || n == 0 {
		return
	}
	if lda < k || ldc < n || len(a) < (m-1)*lda+k || len(c) < (m-1)*ldc+n {
		panic("kernel: Gemm: operand shorter than its shape")
	}
	if ep.Bias != nil && len(ep.Bias) != n {
		panic("kernel: Gemm: bias does not fit")
	}
	if ep.Residual != nil && len(ep.Residual) < (m-1)*ldc+n {
		panic("kernel: Gemm: residual does not fit")
	}
	gemmGrid(threads, m, a, lda, b, c, ldc, ep)
}

// MatMul sets C[i] (m,n) = A[i] times B[i] for i < batch, all dense and contiguous. A[i] is (m,k), or (k,m) when transA; B[i] is (k,n), or (n,k) when transB.
func MatMul(threads, batch, m, n, k int, a, b, c []float32, transA, transB bool) {
	if len(a) < batch*m*k || len(b) < batch*k*n || len(c) < batch*m*n {
		panic("kernel: MatMul: operand shorter than its shape")
	}
	inner := 1
	if batch == 1 {
		inner = threads
	}
	Parallel(threads, batch, func(i int) {
		ai := a[i*m*k : (i+1)*m*k]
		if transA {
			t := scratch(m * k)
			defer release(t)
			transpose(*t, ai, k, m)
			ai = *t
		}
		t := scratch(panelsOf(n) * k * panelWidth)
		defer release(t)
		packInto(*t, b[i*k*n:(i+1)*k*n], k, n, transB)
		p := Panel{K: k, N: n, data: *t}
		if m > 0 && n > 0 {
			gemmGrid(inner, m, ai, k, &p, c[i*m*n:(i+1)*m*n], n, Epilogue{})
		}
	})
}

// transpose sets dst (cols,rows) to the transpose of src (rows,cols).
func transpose(dst, src []float32, rows, cols int) {
	for r := range rows {
		row := src[r*cols : (r+1)*cols]
		for c, v := range row {
			dst[c*rows+r] = v
		}
	}
}
