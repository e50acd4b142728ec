//go:build !noasm

package kernel

// Every arm64 processor that Go runs on has NEON.
var tables = []*table{genericTable(), neonTable()}

// neonTable is the portable table with the assembly in place; what has none stays portable.
func neonTable() *table {
	t := genericTable()
	t.level, t.least = NEON, 1
	t.gemm, t.gemmLast, t.gemmRows = gemmNEON, gemmLastNEON, gemmRowsNEON
	t.transpose = asmTranspose(transpose_neon)
	t.widenF16, t.widenBF16 = asmWiden(widen_f16_neon), asmWiden(widen_bf16_neon)
	t.widenCoded = asmCoded([codes]func(runs int, dst *float32, src *uint32){
		Q4_0: widen_q4_0_neon, Q4_1: widen_q4_1_neon, Q8_0: widen_q8_0_neon, Q4K: widen_q4k_neon, Q5K: widen_q5k_neon, Q6K: widen_q6k_neon,
	})
	t.codedRow = asmCodedRow([codes]func(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32){
		Q4_0: row_q4_0_neon, Q4_1: row_q4_1_neon, Q8_0: row_q8_0_neon, Q4K: row_q4k_neon, Q5K: row_q5k_neon, Q6K: row_q6k_neon,
	})
	t.add, t.sub, t.mul, t.div = asm2(add_neon), asm2(sub_neon), asm2(mul_neon), asm2(div_neon)
	t.scale, t.divide = asm1s(scale_neon), asm1s(divide_neon)
	t.axpy, t.fma3 = asm2s(axpy_neon), asm3(fma3_neon)
	t.relu, t.relugrad, t.larger = asm1(relu_neon), asm2(relugrad_neon), asm2(larger_neon)
	t.exp = asm1s(exp_neon)
	t.standard, t.norm = asm1st(standard_neon), asm3st(norm_neon)
	t.normback, t.softback = asm2stu(normback_neon), asm2st(softback_neon)
	t.erf, t.tanh, t.sigmoid, t.log = asm1(erf_neon), asm1(tanh_neon), asm1(sigmoid_neon), asm1(log_neon)
	t.silu, t.gelu, t.gelutanh = asm1(silu_neon), asm1(gelu_neon), asm1(gelutanh_neon)
	t.silugrad, t.gelugrad, t.gelutanhgrad = asm2(silugrad_neon), asm2(gelugrad_neon), asm2(gelutanhgrad_neon)
	t.tanhgrad, t.sigmoidgrad, t.erfgrad = asm2(tanhgrad_neon), asm2(sigmoidgrad_neon), asm2(erfgrad_neon)
	t.sum, t.dot, t.squares, t.max = asmSum(sum_neon), asmDot(dot_neon), asmSquares(squares_neon), asmMax(max_neon)
	return t
}

// neonTile computes a tile of fixed height and width; flags, bias and residual say how its chains begin and end.
type neonTile func(k int, a *float32, lda int, b *float32, bs, bk int, c *float32, ldc, flags int, bias, residual *float32)

// neonTall are the tiles of 1 to 4 rows by panels, neonHalf those of 5 to 8 rows over half a panel.
var (
	neonTall = [5][5]neonTile{
		1: {1: gemm_neon_1x16, 2: gemm_neon_1x32, 4: gemm_neon_1x64},
		2: {1: gemm_neon_2x16, 2: gemm_neon_2x32},
		3: {1: gemm_neon_3x16},
		4: {1: gemm_neon_4x16},
	}
	neonHalf = [9]neonTile{5: gemm_neon_5x8, 6: gemm_neon_6x8, 7: gemm_neon_7x8, 8: gemm_neon_8x8}
)

func gemmNEON(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	gemmLastNEON(rows, panels, k, a, lda, b, bs, c, ldc, load, tileEnd{})
}

func gemmLastNEON(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool, end tileEnd) {
	walkNEON(rows, panels, k, a, lda, b, bs, panelWidth, c, ldc, load, end)
}

func gemmRowsNEON(rows, panels, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, load bool) {
	walkNEON(rows, panels, k, a, lda, b, panelWidth, ldb, c, ldc, load, tileEnd{})
}

// walkNEON goes through the panels, bs apart with rows bk apart, and for each step through the rows in tiles of at most eight, as even as can be.
func walkNEON(rows, panels, k int, a []float32, lda int, b []float32, bs, bk int, c []float32, ldc int, load bool, end tileEnd) {
	if k == 0 {
		gemmExact(rows, panels, k, a, lda, b, bs, c, ldc, load)
		end.apply(rows, panels, c, ldc)
		return
	}
	// The last element each operand is touched at; the assembly checks nothing.
	_, _, _ = a[(rows-1)*lda+k-1], b[(panels-1)*bs+(k-1)*bk+panelWidth-1], c[(rows-1)*ldc+panels*panelWidth-1]
	var bias, residual *float32
	if end.bias != nil {
		_ = end.bias[panels*panelWidth-1]
	}
	if end.residual != nil {
		_ = end.residual[(rows-1)*ldc+panels*panelWidth-1]
	}
	flags := 0
	if load {
		flags |= 1
	}
	if end.relu {
		flags |= 2
	}
	tile := func(f neonTile, i, p, half int) {
		out := i*ldc + p*panelWidth + half
		if end.bias != nil {
			bias = &end.bias[p*panelWidth+half]
		}
		if end.residual != nil {
			residual = &end.residual[out]
		}
		f(k, &a[i*lda], lda, &b[p*bs+half], bs, bk, &c[out], ldc, flags, bias, residual)
	}
	count := (rows + len(neonHalf) - 2) / (len(neonHalf) - 1)
	for p := 0; p < panels; {
		w := 1
		for rows < len(neonTall) && 2*w <= min(panels-p, 4) && neonTall[rows][2*w] != nil {
			w *= 2
		}
		for i, t := 0, count; t > 0; t-- {
			h := (rows - i + t - 1) / t
			if h < len(neonTall) {
				tile(neonTall[h][w], i, p, 0)
			} else {
				tile(neonHalf[h], i, p, 0)
				tile(neonHalf[h], i, p, panelWidth/2)
			}
			i += h
		}
		p += w
	}
}
