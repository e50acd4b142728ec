package kernel

// depth is how many k one call of a tile covers: the strip of B (depth × 64 values) stays in the second-level cache while all rows of a unit pass over it.
// A chain continues from the stored value, so the blocking does not show in the bits.
const depth = 384

// unitPanels is the most width of a unit in panels, unitRows its most height: that many rows of A by depth fit the second-level cache.
const (
	unitPanels = 4
	unitRows   = 144
)

// grid is how a product of m rows is cut into units: blocks of rows, and in each runs of panels.
type grid struct {
	m, panels, height int
	cuts              []int32 // where units begin, counted in panels over all blocks, and the end
}

func newGrid(threads, m, panels int) *grid {
	blocks := (m + unitRows - 1) / unitRows
	for threads > 1 && (m+blocks-1)/blocks > 12 && blocks*panels < 2*threads {
		blocks *= 2
	}
	g := &grid{m: m, panels: panels, height: (m + blocks - 1) / blocks}
	least := 1
	if m <= 3 { // so few rows stream several panels at once
		least = unitPanels
	}
	g.cuts = cuts(threads, (m+g.height-1)/g.height*panels, panels, least, unitPanels)
	return g
}

// cuts divides 0..total into runs of least to most, none across a multiple of line. They get shorter towards the end, so that threads which take one after
// another finish together.
func cuts(threads, total, line, least, most int) []int32 {
	out := make([]int32, 0, total/most+4*threads+1)
	for at := 0; at < total; {
		out = append(out, int32(at))
		w := most
		if threads > 1 {
			w = min(most, max(least, (total-at)/(3*threads)))
		}
		at += min(w, line-at%line, total-at)
	}
	return append(out, int32(total))
}

func (g *grid) units() int { return len(g.cuts) - 1 }

// unit is a block of rows from i0 on and a run of panels from p0 on.
func (g *grid) unit(u int) (i0, rows, p0, width int) {
	at := int(g.cuts[u])
	i0 = at / g.panels * g.height
	return i0, min(g.height, g.m-i0), at % g.panels, int(g.cuts[u+1]) - at
}

// gemmGrid splits C into units and runs the tile of the current level over them.
func gemmGrid(threads, m int, a []float32, lda int, b *Panel, c []float32, ldc int, ep Epilogue) {
	g := newGrid(workers(threads), m, panelsOf(b.N))
	t := current.Load()
	Parallel(threads, g.units(), func(u int) {
		i0, rows, p0, width := g.unit(u)
		gemmUnit(t, rows, a[i0*lda:], lda, b, p0, width, c, i0, ldc, ep)
	})
}

// gemmUnit computes rows i0.. of C and panels from p0 on; a starts at its first row.
func gemmUnit(t *table, rows int, a []float32, lda int, b *Panel, p0, panels int, c []float32, i0, ldc int, ep Epilogue) {
	j0 := p0 * panelWidth
	j1 := min(b.N, j0+panels*panelWidth)
	if whole := (j1 - j0) / panelWidth; whole > 0 {
		b.product(t, rows, p0, whole, a, lda, c[i0*ldc+j0:], ldc, ep.from(i0*ldc+j0, j0))
	}
	if last := j1 / panelWidth * panelWidth; last < j1 { // the last panel is padded: compute it into a tile of full width
		s := scratch(rows * panelWidth)
		defer release(s)
		b.product(t, rows, last/panelWidth, 1, a, lda, *s, panelWidth, Epilogue{})
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
