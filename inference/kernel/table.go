package kernel

// table is the dispatch table of one level. Every entry computes the same bits on every level. A level starts from genericTable and sets the entries that it
// speeds up; the others stay portable, or composed of those it has (softmax).
// Slices of one call have one length; dst may be any of the sources.
type table struct {
	level Level
	least int // panels that a product needs beside each other for tiles at full speed; zero is one
	// gemm computes rows×(16·panels) elements of C for any rows and panels: c (row stride ldc) gets, or when load is set continues, the chains over
	// k elements of a (row stride lda) and of panels b (bs elements apart).
	gemm func(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool)

	// gemmLast is gemm, then the end of the chains. Where it is nil, the end is a pass of its own.
	gemmLast func(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool, end tileEnd)
	// gemmRows is gemm with B as it lies in memory: row kk of the 16·panels columns starts at kk*ldb. Where it is nil, B is packed.
	gemmRows func(rows, panels, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, load bool)

	add, sub, mul, div func(dst, a, b []float32)
	scale, divide      func(dst, a []float32, s float32)          // a*s, a/s
	axpy               func(dst, a, b []float32, s float32)       // s*b + a, rounded once
	fma3               func(dst, a, b, c []float32)               // a*b + c, rounded once
	relu               func(dst, a []float32)                     // a < 0 becomes 0
	relugrad           func(dst, dy, x []float32)                 // dy where x > 0
	larger             func(dst, a, b []float32)                  // b where it is larger or NaN, else a
	exp                func(dst, a []float32, s float32)          // e^(a-s)
	standard           func(dst, a []float32, mean, rstd float32) // (a-mean)*rstd
	norm               func(dst, a, gamma, beta []float32, mean, rstd float32)
	normback           func(dst, a, b []float32, s, t, u float32) // u * fma(a, s, b-t)
	softback           func(dst, a, b []float32, s, t float32)    // t * (a * (b-s))

	erf, tanh, sigmoid, silu, gelu, gelutanh func(dst, a []float32)
	silugrad, gelugrad, gelutanhgrad         func(dst, dy, x []float32)
	tanhgrad, sigmoidgrad                    func(dst, dy, y []float32) // from the output
	erfgrad                                  func(dst, dy, x []float32)

	softmax func(dst, a []float32, s float32) // of s*a: v = s*a, e^(v-max), divided by the sum
	log     func(dst, a []float32)

	// transpose sets dst (cols,rows; row stride ldd) to the transpose of src (rows,cols; row stride lds).
	transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int)

	widenF16, widenBF16 func(dst []float32, src []uint16)          // a multiple of 16 values
	widenCoded          func(c Code, dst []float32, runs []uint32) // whole runs of 16 columns
	// codedRow sets c to the chains of one row over whole coded panels of b. Where it is nil, they are widened first.
	codedRow func(b *Panel, p0, panels int, a, c []float32)

	sum     func(x []float32) float32
	dot     func(x, y []float32) float32
	squares func(x []float32, mean float32) float32 // Σ(x-mean)²
	max     func(x []float32) float32               // of a row without NaN; the sign of a zero is open
}

// tileEnd is the part of an epilogue that a matrix tile takes over: bias from its first column on, residual from its first element on, strided like C.
type tileEnd struct {
	bias, residual []float32
	relu           bool
}

// apply is the portable form.
func (e tileEnd) apply(rows, panels int, c []float32, ldc int) {
	for i := range rows {
		row := c[i*ldc : i*ldc+panels*panelWidth]
		if e.bias != nil {
			addGeneric(row, row, e.bias)
		}
		if e.residual != nil {
			addGeneric(row, row, e.residual[i*ldc:])
		}
		if e.relu {
			reluGeneric(row, row)
		}
	}
}

func genericTable() *table {
	t := &table{
		level: Generic, gemm: gemmGeneric,
		add: addGeneric, sub: subGeneric, mul: mulGeneric, div: divGeneric, scale: scaleGeneric, divide: divideGeneric,
		axpy: axpyGeneric, fma3: fma3Generic, relu: reluGeneric, relugrad: reluGradGeneric, larger: largerGeneric, exp: expGeneric,
		standard: standardGeneric, norm: normGeneric, normback: normBackGeneric, softback: softBackGeneric,
		erf: unary(erf1), tanh: unary(tanh1), sigmoid: unary(sigmoid1), silu: unary(silu1), gelu: unary(gelu1), gelutanh: unary(geluTanh1),
		silugrad: gradient(siluGrad1), gelugrad: gradient(geluGrad1), gelutanhgrad: gradient(geluTanhGrad1),
		tanhgrad: gradient(tanhGrad1), sigmoidgrad: gradient(sigmoidGrad1), erfgrad: gradient(erfGrad1),
		log: unary(log1), transpose: transposeGeneric, widenF16: widenF16Generic, widenBF16: widenBF16Generic, widenCoded: Code.widenGeneric,
		sum: sumGeneric, dot: dotGeneric, squares: squaresGeneric, max: maxGeneric,
	}
	t.softmax = t.softmaxParts
	return t
}

func unary(f func(float32) float32) func(dst, a []float32) {
	return func(dst, a []float32) { apply(dst, a, f) }
}

func gradient(f func(dy, x float32) float32) func(dst, dy, x []float32) {
	return func(dst, dy, x []float32) {
		for i, v := range x {
			dst[i] = f(dy[i], v)
		}
	}
}
