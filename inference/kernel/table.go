package kernel

// table is the dispatch table of one level. Every entry computes the same bits on every level; an entry that a level does not speed up is the generic one.
type table struct {
	level Level
	// gemm computes rows×(16·panels) elements of C for any rows and panels: c (row stride ldc) gets, or when load is set continues, the chains over
	// k elements of a (row stride lda) and of panels b (bs elements apart). plain says that a and b are plain operands (only the generic tile asks).
	gemm  func(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load, plain bool)
	fused bool // the tile needs no plain operands

	exp, erf, tanh, sigmoid, gelu, gelutanh, silu func(dst, src []float32)

	sum     func(x []float32) float32
	dot     func(x, y []float32) float32
	squares func(x []float32, mean float32) float32
	max     func(x []float32) float32
	add     func(dst, a, b []float32)
	mul     func(dst, a, b []float32)
	scale   func(dst, a []float32, s float32)
	fma     func(dst, a, b []float32, s float32) // dst = s*b + a, rounded once
	fma3    func(dst, a, b []float32)            // dst = a*b + dst, rounded once
	relu    func(dst, src []float32)

	softmax func(dst, src []float32, scale float32)
	norm    func(dst, src, gamma, beta []float32, mean, rstd float32)
}

func genericTable() *table {
	return &table{
		level: Generic, gemm: gemmGeneric, fused: false,
		exp: expGeneric, erf: erfGeneric, tanh: tanhGeneric, sigmoid: sigmoidGeneric,
		gelu: geluGeneric, gelutanh: geluTanhGeneric, silu: siluGeneric,
		sum: sumGeneric, dot: dotGeneric, squares: squaresGeneric, max: maxGeneric,
		add: addGeneric, mul: mulGeneric, scale: scaleGeneric, fma: fmaGeneric, fma3: fma3Generic, relu: reluGeneric,
		softmax: softmaxGeneric, norm: normGeneric,
	}
}
