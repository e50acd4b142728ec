package kernel

// panelWidth is the number of columns of one packed panel; it is the same on all levels, so packed weights can be shared.
const panelWidth = 16

// Panel is a matrix B (K,N) packed for Gemm: panels of 16 columns, each K rows of 16 values, the last one padded with zeros.
type Panel struct {
	K, N int
	data []float32
}

// Bytes is the memory the packed values take.
func (p *Panel) Bytes() int { return 4 * len(p.data) }

func panelsOf(n int) int { return (n + panelWidth - 1) / panelWidth }

// Pack copies b into panels: b is (k,n) row-major, or (n,k) row-major when transposed is set (the weight of a linear layer).
func Pack(b []float32, k, n int, transposed bool) *Panel {
	if len(b) != k*n {
		panic("kernel: Pack: length does not fit the shape")
	}
	p := &Panel{K: k, N: n, data: make([]float32, panelsOf(n)*k*panelWidth)}
	if k*n < 1<<16 {
		packInto(p.data, b, k, n, transposed)
		return p
	}
	const group = 8 * panelWidth // columns of a unit
	Parallel(0, (n+group-1)/group, func(u int) {
		lo, hi := span(n, group, u)
		packColumns(p.data, b, k, n, lo, hi, transposed)
	})
	return p
}

func packInto(dst, b []float32, k, n int, transposed bool) {
	packColumns(dst, b, k, n, 0, n, transposed)
}

// packColumns packs the columns lo to hi, lo being the first of a panel.
func packColumns(dst, b []float32, k, n, lo, hi int, transposed bool) {
	for j0 := lo; j0 < hi; j0 += panelWidth {
		w := min(panelWidth, n-j0)
		out := dst[j0*k : (j0+panelWidth)*k]
		if transposed {
			packTransposed(out, b[j0*k:], k, w)
			continue
		}
		for r := range k {
			row := out[r*panelWidth : (r+1)*panelWidth]
			copy(row, b[r*n+j0:r*n+j0+w])
			clear(row[w:])
		}
	}
}

// packTransposed fills one panel from w rows of length k, four rows at a time.
func packTransposed(out, b []float32, k, w int) {
	if w < panelWidth {
		clear(out)
	}
	c := 0
	for ; c+4 <= w; c += 4 {
		b0, b1, b2, b3 := b[c*k:(c+1)*k], b[(c+1)*k:(c+2)*k], b[(c+2)*k:(c+3)*k], b[(c+3)*k:(c+4)*k]
		b1, b2, b3 = b1[:len(b0)], b2[:len(b0)], b3[:len(b0)]
		for r, v := range b0 {
			o := (*[4]float32)(out[r*panelWidth+c:])
			o[0], o[1], o[2], o[3] = v, b1[r], b2[r], b3[r]
		}
	}
	for ; c < w; c++ {
		for r, v := range b[c*k : (c+1)*k] {
			out[r*panelWidth+c] = v
		}
	}
}
