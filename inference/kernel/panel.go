package kernel

// panelWidth is the number of columns of one packed panel; it is the same on all levels, so packed weights can be shared.
const panelWidth = 16

// Panel is a matrix B (K,N) packed for Gemm: panels of 16 columns, each K rows of 16 values, the last one padded with zeros.
type Panel struct {
	K, N   int
	data   []float32
	half   []uint16 // instead of data
	format Half
	coded  []uint32 // instead of data
	code   Code
}

// Bytes is the memory the packed values take.
func (p *Panel) Bytes() int { return 4*len(p.data) + 2*len(p.half) + 4*len(p.coded) }

func panelsOf(n int) int { return (n + panelWidth - 1) / panelWidth }

// Pack copies b into panels: b is (k,n) row-major, or (n,k) row-major when transposed is set (the weight of a linear layer).
func Pack(b []float32, k, n int, transposed bool) *Panel {
	if len(b) != k*n {
		panic("kernel: Pack: length does not fit the shape")
	}
	t := current.Load()
	p := &Panel{K: k, N: n, data: make([]float32, panelsOf(n)*k*panelWidth)}
	if k*n < 1<<16 {
		t.packColumns(p.data, b, k, n, 0, n, transposed)
		return p
	}
	const group = 8 * panelWidth // columns of a unit
	Parallel(0, (n+group-1)/group, func(u int) {
		lo, hi := span(n, group, u)
		t.packColumns(p.data, b, k, n, lo, hi, transposed)
	})
	return p
}

// packColumns packs the columns lo to hi of a whole matrix, lo being the first of a panel.
func (t *table) packColumns(dst, b []float32, k, n, lo, hi int, transposed bool) {
	if transposed {
		t.pack(dst[lo*k:], b[lo*k:], k, k, hi-lo, true)
	} else {
		t.pack(dst[lo*k:], b[lo:], n, k, hi-lo, false)
	}
}

// pack fills panels with a matrix (k,n) of row stride ld, or (n,k) when transposed is set.
func (t *table) pack(dst, b []float32, ld, k, n int, transposed bool) {
	if transposed {
		for j0 := 0; j0 < n; j0 += panelWidth {
			w := min(panelWidth, n-j0)
			out := dst[j0*k : (j0+panelWidth)*k]
			if w < panelWidth {
				clear(out)
			}
			t.transpose(out, panelWidth, b[j0*ld:], ld, w, k)
		}
		return
	}
	const block = 32 // rows whose pages are looked up once for all panels
	for r0 := 0; r0 < k; r0 += block {
		r1 := min(k, r0+block)
		for j0 := 0; j0 < n; j0 += panelWidth {
			w, out := min(panelWidth, n-j0), dst[j0*k:(j0+panelWidth)*k]
			for r := r0; r < r1; r++ {
				row := (*[panelWidth]float32)(out[r*panelWidth:])
				if w == panelWidth {
					*row = *(*[panelWidth]float32)(b[r*ld+j0:])
					continue
				}
				clear(row[copy(row[:], b[r*ld+j0:r*ld+j0+w]):])
			}
		}
	}
}

// transposeGeneric sets dst (cols,rows; row stride ldd) to the transpose of src (rows,cols; row stride lds), four rows at a time.
func transposeGeneric(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	c := 0
	for ; c+4 <= rows; c += 4 {
		b0, b1, b2, b3 := src[c*lds:c*lds+cols], src[(c+1)*lds:(c+1)*lds+cols], src[(c+2)*lds:(c+2)*lds+cols], src[(c+3)*lds:(c+3)*lds+cols]
		b1, b2, b3 = b1[:len(b0)], b2[:len(b0)], b3[:len(b0)]
		for r, v := range b0 {
			o := (*[4]float32)(dst[r*ldd+c:])
			o[0], o[1], o[2], o[3] = v, b1[r], b2[r], b3[r]
		}
	}
	for ; c < rows; c++ {
		for r, v := range src[c*lds : c*lds+cols] {
			dst[r*ldd+c] = v
		}
	}
}
