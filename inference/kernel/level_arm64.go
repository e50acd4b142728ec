//go:build !noasm

package kernel

// Every arm64 processor that Go runs on has NEON.
var tables = []*table{genericTable(), neonTable()}

// neonTable is the portable table with the assembly in place; what has none stays portable.
func neonTable() *table {
	t := genericTable()
	t.level = NEON
	t.gemm = gemmNEON
	t.add, t.sub, t.mul, t.div = asm2(add_neon), asm2(sub_neon), asm2(mul_neon), asm2(div_neon)
	t.scale, t.divide = asm1s(scale_neon), asm1s(divide_neon)
	t.axpy, t.fma3 = asm2s(axpy_neon), asm3(fma3_neon)
	t.relu, t.relugrad = asm1(relu_neon), asm2(relugrad_neon)
	t.exp = asm1s(exp_neon)
	t.standard, t.norm = asm1st(standard_neon), asm3st(norm_neon)
	t.normback, t.softback = asm2stu(normback_neon), asm2st(softback_neon)
	t.erf, t.tanh, t.sigmoid = asm1(erf_neon), asm1(tanh_neon), asm1(sigmoid_neon)
	t.silu, t.gelu, t.gelutanh = asm1(silu_neon), asm1(gelu_neon), asm1(gelutanh_neon)
	t.silugrad, t.gelugrad, t.gelutanhgrad = asm2(silugrad_neon), asm2(gelugrad_neon), asm2(gelutanhgrad_neon)
	t.sum, t.dot, t.squares, t.max = asmSum(sum_neon), asmDot(dot_neon), asmSquares(squares_neon), asmMax(max_neon)
	return t
}

type neonTile func(k int, a *float32, lda int, b *float32, bs int, c *float32, ldc int, load int)

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

// gemmNEON walks the rows in tiles of at most eight.
func gemmNEON(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	if k == 0 {
		gemmExact(rows, panels, k, a, lda, b, bs, c, ldc, load)
		return
	}
	// The last element each operand is touched at; the assembly checks nothing.
	_, _, _ = a[(rows-1)*lda+k-1], b[(panels-1)*bs+k*panelWidth-1], c[(rows-1)*ldc+panels*panelWidth-1]
	start := 0
	if load {
		start = 1
	}
	for p := 0; p < panels; {
		// The step is chosen by the height of most rows, so that a strip of B is passed over once.
		w := 1
		for rows < len(neonTall) && 2*w <= panels-p && neonTall[rows][min(2*w, 4)] != nil && w < 4 {
			w *= 2
		}
		for i := 0; i < rows; {
			h := min(8, rows-i)
			at, out := &a[i*lda], i*ldc+p*panelWidth
			if h < len(neonTall) {
				neonTall[h][w](k, at, lda, &b[p*bs], bs, &c[out], ldc, start)
			} else {
				neonHalf[h](k, at, lda, &b[p*bs], bs, &c[out], ldc, start)
				neonHalf[h](k, at, lda, &b[p*bs+panelWidth/2], bs, &c[out+panelWidth/2], ldc, start)
			}
			i += h
		}
		p += w
	}
}
