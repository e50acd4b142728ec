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
