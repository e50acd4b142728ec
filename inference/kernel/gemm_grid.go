package kernel

// depth is how many k one call of a tile covers: the strip of B (depth × 64 values) stays in the second-level cache while all rows of a unit pass over it.
// A chain continues from the stored value, so the blocking does not show in the bits.
const depth = 384

// unitPanels is the width of a unit in panels, unitRows its height: that many rows of A by depth fit the second-level cache.
const (
	unitPanels = 4
	unitRows   = 144
)

// gemmGrid splits C into units and runs the tile of the current level over them.
func gemmGrid(threads, m int, a []float32, lda int, b *Panel, c []float32, ldc int, ep Epilogue) {
	cols := (panelsOf(b.N) + unitPanels - 1) / unitPanels
	h := unitHeight(workers(threads), m, cols)
	t := current.Load()
	Parallel(threads, cols*((m+h-1)/h), func(u int) {
		i0 := u / cols * h
		gemmUnit(t, min(h, m-i0), a[i0*lda:], lda, b, u%cols*unitPanels, c, i0, ldc, ep)
	})
}

// unitHeight chooses the rows of a unit: as even as can be, lower where too few units would be left for the threads.
func unitHeight(threads, m, cols int) int {
	h := func(units int) int { return max(1, (m+units-1)/units) }
	units := (m + unitRows - 1) / unitRows
	for threads > 1 && h(units) > 12 && cols*units < 4*threads {
		units *= 2
	}
	return h(units)
}

// gemmUnit computes rows i0.. of C and up to unitPanels panels from p0 on; a starts at its first row.
func gemmUnit(t *table, rows int, a []float32, lda int, b *Panel, p0 int, c []float32, i0, ldc int, ep Epilogue) {
	panels := min(unitPanels, panelsOf(b.N)-p0)
	j0 := p0 * panelWidth
	j1 := min(b.N, j0+panels*panelWidth)
	if whole := (j1 - j0) / panelWidth; whole > 0 {
		t.product(rows, whole, b.K, a, lda, b.data[j0*b.K:], b.K*panelWidth, c[i0*ldc+j0:], ldc, ep.from(i0*ldc+j0, j0))
	}
	if last := j1 / panelWidth * panelWidth; last < j1 { // the last panel is padded: compute it into a tile of full width
		s := scratch(rows * panelWidth)
		defer release(s)
		t.product(rows, 1, b.K, a, lda, b.data[last*b.K:], b.K*panelWidth, *s, panelWidth, Epilogue{})
		for i := range rows {
			copy(c[(i0+i)*ldc+last:(i0+i)*ldc+j1], (*s)[i*panelWidth:])
		}
		t.finish(rows, j1-last, c[i0*ldc+last:], ldc, ep.from(i0*ldc+last, last))
	}
}

// from is the epilogue seen from element at of C, in column j.
func (ep Epilogue) from(at, j int) Epilogue {
	if ep.Bias != nil {
		ep.Bias = ep.Bias[j:]
	}
	if ep.Residual != nil {
		ep.Residual = ep.Residual[at:]
	}
	return ep
}

// product computes whole panels over any depth, and the epilogue seen from c.
func (t *table) product(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, ep Epilogue) {
	k0 := 0
	for ; k-k0 > depth; k0 += depth {
		t.gemm(rows, panels, depth, a[k0:], lda, b[k0*panelWidth:], bs, c, ldc, k0 > 0)
	}
	t.last(rows, panels, k-k0, a[min(k0, len(a)):], lda, b[k0*panelWidth:], bs, c, ldc, k0 > 0, ep)
}

// last is the last block of the chains and the epilogue.
func (t *table) last(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool, ep Epilogue) {
	if t.gemmLast == nil {
		t.gemm(rows, panels, k, a, lda, b, bs, c, ldc, load)
	} else {
		t.gemmLast(rows, panels, k, a, lda, b, bs, c, ldc, load, tileEnd{ep.Bias, ep.Residual, ep.Act == ActReLU})
		if ep.Bias, ep.Residual = nil, nil; ep.Act == ActReLU {
			return
		}
	}
	t.finish(rows, panels*panelWidth, c, ldc, ep)
}

// finish applies an epilogue seen from c to rows of n columns.
func (t *table) finish(rows, n int, c []float32, ldc int, ep Epilogue) {
	if ep.Bias == nil && ep.Residual == nil && ep.Act == ActNone {
		return
	}
	for i := range rows {
		row := c[i*ldc : i*ldc+n]
		if ep.Bias != nil {
			t.add(row, row, ep.Bias[:n])
		}
		if ep.Residual != nil {
			t.add(row, row, ep.Residual[i*ldc:i*ldc+n])
		}
		t.activate(ep.Act, row)
	}
}

func (t *table) activate(act Act, row []float32) {
	switch act {
	case ActGELU:
		t.gelu(row, row)
	case ActGELUTanh:
		t.gelutanh(row, row)
	case ActReLU:
		t.relu(row, row)
	case ActSiLU:
		t.silu(row, row)
	case ActTanh:
		t.tanh(row, row)
	}
}
