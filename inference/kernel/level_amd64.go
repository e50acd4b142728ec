//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate go run ./gen

var tables = amd64Tables()

func amd64Tables() []*table {
	out := []*table{genericTable()}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		t := genericTable()
		t.level, t.fused, t.gemm = AVX2, true, gemmAVX2
		out = append(out, t)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW {
			t := *t
			t.level, t.gemm = AVX512, gemmAVX512
			out = append(out, &t)
		}
	}
	return out
}

type gemmTile func(k int, a *float32, lda int, b *float32, bs int, c *float32, ldc int, load int)

func gemmAVX512(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load, _ bool) {
	gemmTiles(&gemmTiles_avx512, rows, panels, k, a, lda, b, bs, c, ldc, load)
}

func gemmAVX2(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load, _ bool) {
	gemmTiles(&gemmTiles_avx2, rows, panels, k, a, lda, b, bs, c, ldc, load)
}

// gemmTiles walks the rows in tiles of at most six, and for each height the panels in steps as wide as the level has a tile for.
func gemmTiles(tiles *[7][5]gemmTile, rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
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
		w := panels - p
		for w > 1 && tiles[min(rows, 6)][min(w, 4)] == nil || w > 4 {
			w--
		}
		for i := 0; i < rows; {
			h := min(6, rows-i)
			tiles[h][w](k, &a[i*lda], lda, &b[p*bs], bs, &c[i*ldc+p*panelWidth], ldc, start)
			i += h
		}
		p += w
	}
}
