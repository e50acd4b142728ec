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
	t.level, t.gemm = AVX2, gemmAVX2
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
	t.exp = asm1s(exp_avx2)
	t.standard = asm1st(standard_avx2)
	t.norm = asm3st(norm_avx2)
	t.normback = asm2stu(normback_avx2)
	t.softback = asm2st(softback_avx2)
	t.erf = asm1(erf_avx2)
	t.tanh = asm1(tanh_avx2)
	t.sigmoid = asm1(sigmoid_avx2)
	t.silu = asm1(silu_avx2)
	t.gelu = asm1(gelu_avx2)
	t.gelutanh = asm1(gelutanh_avx2)
	t.silugrad = asm2(silugrad_avx2)
	t.gelugrad = asm2(gelugrad_avx2)
	t.gelutanhgrad = asm2(gelutanhgrad_avx2)
	t.sum = asmSum(sum_avx2)
	t.dot = asmDot(dot_avx2)
	t.squares = asmSquares(squares_avx2)
	t.max = asmMax(max_avx2)
	t.softmax = t.asmSoftmax(softmax_avx2)
	t.transpose = asmTranspose(transpose_avx2)
	return t
}

func avx512Table() *table {
	t := genericTable()
	t.level, t.gemm = AVX512, gemmAVX512
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
	t.exp = asm1s(exp_avx512)
	t.standard = asm1st(standard_avx512)
	t.norm = asm3st(norm_avx512)
	t.normback = asm2stu(normback_avx512)
	t.softback = asm2st(softback_avx512)
	t.erf = asm1(erf_avx512)
	t.tanh = asm1(tanh_avx512)
	t.sigmoid = asm1(sigmoid_avx512)
	t.silu = asm1(silu_avx512)
	t.gelu = asm1(gelu_avx512)
	t.gelutanh = asm1(gelutanh_avx512)
	t.silugrad = asm2(silugrad_avx512)
	t.gelugrad = asm2(gelugrad_avx512)
	t.gelutanhgrad = asm2(gelutanhgrad_avx512)
	t.sum = asmSum(sum_avx512)
	t.dot = asmDot(dot_avx512)
	t.squares = asmSquares(squares_avx512)
	t.max = asmMax(max_avx512)
	t.softmax = t.asmSoftmax(softmax_avx512)
	t.transpose = asmTranspose(transpose_avx2)
	return t
}

// gemmTile computes a tile of fixed height and width; ahead and step say what to bring into the cache meanwhile.
type gemmTile func(k int, a *float32, lda int, b *float32, bs int, c *float32, ldc int, load int, ahead uintptr, step int)

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

func gemmAVX512(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	gemmTiles(&gemmTiles_avx512, rows, panels, k, a, lda, b, bs, c, ldc, load)
}

func gemmAVX2(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	gemmTiles(&gemmTiles_avx2, rows, panels, k, a, lda, b, bs, c, ldc, load)
}

// gemmTiles walks the panels in steps as wide as the level has a tile for, and for each the rows in tiles of at most six, as even as can be. Each tile brings
// its share of the next panel into the cache.
func gemmTiles(tiles *tileSet, rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
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
	count := (rows + tileRows - 1) / tileRows
	high, more := rows/count, rows%count // the first tiles are one row higher
	highest := high + min(more, 1)
	step := max(256/count, 16)
	for p := 0; p < panels; {
		w := tiles.widest(highest, panels-p)
		ahead := uintptr(unsafe.Pointer(&b[p*bs])) + uintptr(4*w*bs)
		i := 0
		for t := range count {
			h := high
			if t < more {
				h++
			}
			f := tiles[h][w]
			f(k, &a[i*lda], lda, &b[p*bs], bs, &c[i*ldc+p*panelWidth], ldc, start, ahead, step)
			ahead += uintptr(k / 4 * step)
			i += h
		}
		p += w
	}
}
