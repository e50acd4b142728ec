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
	packInto(p.data, b, k, n, transposed)
	return p
}

func packInto(dst, b []float32, k, n int, transposed bool) {
	for j0 := 0; j0 < n; j0 += panelWidth {
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

// packTransposed fills one panel from w rows of length k.
func packTransposed(out, b []float32, k, w int) {
	if w < panelWidth {
		clear(out)
	}
	for c := range w {
		row := b[c*k : (c+1)*k]
		for r, v := range row {
			out[r*panelWidth+c] = v
		}
	}
}
