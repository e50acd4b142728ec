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
	k := b.K
	panels := min(unitPanels, panelsOf(b.N)-p0)
	j0 := p0 * panelWidth
	j1 := min(b.N, j0+panels*panelWidth)
	out, ldo := c[i0*ldc+j0:], ldc
	tail := j1-j0 < panels*panelWidth
	if tail { // the last panel is padded: compute into a tile of full width
		s := scratch(rows * panels * panelWidth)
		defer release(s)
		out, ldo = *s, panels*panelWidth
	}
	for k0 := 0; k0 < k || k0 == 0; k0 += depth {
		kc := min(depth, k-k0)
		t.gemm(rows, panels, kc, a[min(k0, len(a)):], lda, b.data[j0*k+k0*panelWidth:], k*panelWidth, out, ldo, k0 > 0)
	}
	if tail {
		for i := range rows {
			copy(c[(i0+i)*ldc+j0:(i0+i)*ldc+j1], out[i*ldo:])
		}
	}
	finish(t, c, ldc, i0, i0+rows, j0, j1, ep)
}

// finish applies the epilogue to rows i0..i1 and columns j0..j1.
func finish(t *table, c []float32, ldc, i0, i1, j0, j1 int, ep Epilogue) {
	if ep.Bias == nil && ep.Residual == nil && ep.Act == ActNone {
		return
	}
	for i := i0; i < i1; i++ {
		row := c[i*ldc+j0 : i*ldc+j1]
		if ep.Bias != nil {
			t.add(row, row, ep.Bias[j0:j1])
		}
		if ep.Residual != nil {
			t.add(row, row, ep.Residual[i*ldc+j0:i*ldc+j1])
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
