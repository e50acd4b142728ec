//go:build amd64 && !noasm

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go run ./gen

var tables = amd64Tables()

// amd64Tables asks the processor and the operating system (which must save the wide registers) what may be used.
func amd64Tables() []*table {
	out := []*table{genericTable()}
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return out
	}
	out = append(out, avx2Table())
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ {
		out = append(out, avx512Table())
	}
	return out
}

func avx2Table() *table {
	t := genericTable()
	t.level = AVX2
	t.use(&gemmTiles_avx2, &stridedTiles_avx2)
	t.add = asm2(add_avx2)
	t.sub = asm2(sub_avx2)
	t.mul = asm2(mul_avx2)
	t.div = asm2(div_avx2)
	t.scale = asm1s(scale_avx2)
	t.divide = asm1s(divide_avx2)
	t.axpy = asm2s(axpy_avx2)
	t.fma3 = asm3(fma3_avx2)
	t.relu = asm1(relu_avx2)
	t.relugrad = asm2(relugrad_avx2)
	t.larger = asm2(larger_avx2)
	t.exp = asm1s(exp_avx2)
	t.standard = asm1st(standard_avx2)
	t.norm = asm3st(norm_avx2)
	t.normback = asm2stu(normback_avx2)
	t.softback = asm2st(softback_avx2)
	t.erf = asm1(erf_avx2)
	t.tanh = asm1(tanh_avx2)
	t.sigmoid = asm1(sigmoid_avx2)
	t.log = asm1(log_avx2)
	t.silu = asm1(silu_avx2)
	t.gelu = asm1(gelu_avx2)
	t.gelutanh = asm1(gelutanh_avx2)
	t.silugrad = asm2(silugrad_avx2)
	t.gelugrad = asm2(gelugrad_avx2)
	t.gelutanhgrad = asm2(gelutanhgrad_avx2)
	t.tanhgrad = asm2(tanhgrad_avx2)
	t.sigmoidgrad = asm2(sigmoidgrad_avx2)
	t.erfgrad = asm2(erfgrad_avx2)
	t.sum = asmSum(sum_avx2)
	t.dot = asmDot(dot_avx2)
	t.squares = asmSquares(squares_avx2)
	t.max = asmMax(max_avx2)
	t.softmax = t.asmSoftmax(softmax_avx2)
	t.transpose = asmTranspose(transpose_avx2)
	t.widenF16, t.widenBF16 = asmWiden(widen_f16_avx2), asmWiden(widen_bf16_avx2)
	t.widenCoded = asmCoded([codes]func(runs int, dst *float32, src *uint32){
		Q4_0: widen_q4_0_avx2, Q4_1: widen_q4_1_avx2, Q8_0: widen_q8_0_avx2, Q4K: widen_q4k_avx2, Q5K: widen_q5k_avx2, Q6K: widen_q6k_avx2,
	})
	t.codedRow = asmCodedRow([codes]func(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32){
		Q4_0: row_q4_0_avx2, Q4_1: row_q4_1_avx2, Q8_0: row_q8_0_avx2, Q4K: row_q4k_avx2, Q5K: row_q5k_avx2, Q6K: row_q6k_avx2,
	})
	return t
}

func avx512Table() *table {
	t := genericTable()
	t.level, t.least = AVX512, 2
	t.use(&gemmTiles_avx512, &stridedTiles_avx512)
	t.add = asm2(add_avx512)
	t.sub = asm2(sub_avx512)
	t.mul = asm2(mul_avx512)
	t.div = asm2(div_avx512)
	t.scale = asm1s(scale_avx512)
	t.divide = asm1s(divide_avx512)
	t.axpy = asm2s(axpy_avx512)
	t.fma3 = asm3(fma3_avx512)
	t.relu = asm1(relu_avx512)
	t.relugrad = asm2(relugrad_avx512)
	t.larger = asm2(larger_avx512)
	t.exp = asm1s(exp_avx512)
	t.standard = asm1st(standard_avx512)
	t.norm = asm3st(norm_avx512)
	t.normback = asm2stu(normback_avx512)
	t.softback = asm2st(softback_avx512)
	t.erf = asm1(erf_avx512)
	t.tanh = asm1(tanh_avx512)
	t.sigmoid = asm1(sigmoid_avx512)
	t.log = asm1(log_avx512)
	t.silu = asm1(silu_avx512)
	t.gelu = asm1(gelu_avx512)
	t.gelutanh = asm1(gelutanh_avx512)
	t.silugrad = asm2(silugrad_avx512)
	t.gelugrad = asm2(gelugrad_avx512)
	t.gelutanhgrad = asm2(gelutanhgrad_avx512)
	t.tanhgrad = asm2(tanhgrad_avx512)
	t.sigmoidgrad = asm2(sigmoidgrad_avx512)
	t.erfgrad = asm2(erfgrad_avx512)
	t.sum = asmSum(sum_avx512)
	t.dot = asmDot(dot_avx512)
	t.squares = asmSquares(squares_avx512)
	t.max = asmMax(max_avx512)
	t.softmax = t.asmSoftmax(softmax_avx512)
	t.transpose = asmTranspose(transpose_avx2)
	t.widenF16, t.widenBF16 = asmWiden(widen_f16_avx2), asmWiden(widen_bf16_avx2)
	t.widenCoded, t.codedRow = avx2Table().widenCoded, avx2Table().codedRow
	return t
}

// gemmTile computes a number of tiles of fixed height and width below each other; ahead and step say what to bring into the cache meanwhile, flags, bias and
// residual how the chains begin and end.
type gemmTile func(k int, a *float32, lda int, b *float32, bs int, c *float32, ldc int, flags int, ahead uintptr, step int, bias, residual *float32, tiles int)

const (
	flagLoad = 1
	flagReLU = 2
)

// tileSet holds the tiles of a level by rows and panels.
type tileSet [tileRows + 1][5]gemmTile

const tileRows = 6

// widest is how many panels at most a tile of the height takes.
func (s *tileSet) widest(rows, panels int) int {
	w := min(panels, 4)
	for w > 1 && s[rows][w] == nil {
		w--
	}
	return w
}

// use makes the products of a table those of its tiles.
func (t *table) use(packed, strided *tileSet) {
	t.gemm = func(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
		packed.walk(rows, panels, k, a, lda, b, bs, k*panelWidth, bs, c, ldc, load, tileEnd{})
	}
	t.gemmLast = func(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool, end tileEnd) {
		packed.walk(rows, panels, k, a, lda, b, bs, k*panelWidth, bs, c, ldc, load, end)
	}
	t.gemmRows = func(rows, panels, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, load bool) {
		strided.walk(rows, panels, k, a, lda, b, panelWidth, (k-1)*ldb+panelWidth, ldb, c, ldc, load, tileEnd{})
	}
}

// walk goes through the panels, bs apart and each reaching over span values of b, in steps as wide as there is a tile for, and for each through the rows in
// tiles of at most six, as even as can be. Each tile brings its share of the next panel into the cache. stride is what the tile takes for bs.
func (s *tileSet) walk(rows, panels, k int, a []float32, lda int, b []float32, bs, span, stride int, c []float32, ldc int, load bool, end tileEnd) {
	if k == 0 {
		gemmExact(rows, panels, k, a, lda, b, bs, c, ldc, load)
		end.apply(rows, panels, c, ldc)
		return
	}
	// The last element each operand is touched at; the assembly checks nothing.
	_, _, _ = a[(rows-1)*lda+k-1], b[(panels-1)*bs+span-1], c[(rows-1)*ldc+panels*panelWidth-1]
	if end.bias != nil {
		_ = end.bias[panels*panelWidth-1]
	}
	if end.residual != nil {
		_ = end.residual[(rows-1)*ldc+panels*panelWidth-1]
	}
	flags := 0
	if load {
		flags |= flagLoad
	}
	if end.relu {
		flags |= flagReLU
	}
	count := (rows + tileRows - 1) / tileRows
	low, more := rows/count, rows%count // the first tiles are one row higher
	high := low + min(more, 1)
	step := max(256/count, 16)
	var bias, residual *float32
	for p := 0; p < panels; {
		w := s.widest(high, panels-p)
		ahead := uintptr(unsafe.Pointer(&b[p*bs])) + uintptr(4*w*bs)
		if end.bias != nil {
			bias = &end.bias[p*panelWidth]
		}
		for i, first := 0, true; i < rows; first = false {
			h, n := low, count-more
			if first && more > 0 {
				h, n = high, more
			}
			at := i*ldc + p*panelWidth
			if end.residual != nil {
				residual = &end.residual[at]
			}
			s[h][w](k, &a[i*lda], lda, &b[p*bs], stride, &c[at], ldc, flags, ahead, step, bias, residual, n)
			ahead += uintptr(n * (k / 4) * step)
			i += h * n
		}
		p += w
	}
}
