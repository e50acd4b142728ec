package kernel

// Transposed packs the transpose of p's matrix: a Panel with K and N exchanged, for the backward pass of a linear layer, its values in
// float32. It goes from panels to panels, block by block.
func (p *Panel) Transposed() *Panel {
	q := &Panel{K: p.N, N: p.K, data: make([]float32, panelsOf(p.K)*p.N*panelWidth)}
	t := current.Load()
	Parallel(0, panelsOf(p.N), func(u int) {
		n0, from := u*panelWidth, p.data
		if p.packed() {
			s := scratch(p.K * panelWidth)
			defer release(s)
			p.widen(t, *s, u, 0)
			from = *s
		} else {
			from = from[n0*p.K:]
		}
		for k0 := 0; k0 < p.K; k0 += panelWidth {
			t.transpose(q.data[k0*p.N+n0*panelWidth:], panelWidth, from[k0*panelWidth:], panelWidth, min(panelWidth, p.K-k0), min(panelWidth, p.N-n0))
		}
	})
	return q
}

// Transpose sets dst (cols,rows) to the transpose of src (rows,cols), both dense. They must not overlap.
func Transpose(threads, rows, cols int, dst, src []float32) {
	rowsFit(rows, cols, dst, src)
	t := current.Load()
	per := max(panelWidth, rowUnit/max(1, rows))
	Parallel(threads, (cols+per-1)/per, func(u int) {
		lo, hi := span(cols, per, u)
		t.transpose(dst[lo*rows:], rows, src[lo:], cols, rows, hi-lo)
	})
}
