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
	panels, m, height int
	pieces            []piece // in panels, counted over all blocks
}

func newGrid(t *table, threads, m, panels int) *grid {
	blocks := (m + unitRows - 1) / unitRows
	for threads > 1 && (m+blocks-1)/blocks > 12 && blocks*panels < 2*threads {
		blocks *= 2
	}
	g := &grid{m: m, panels: panels, height: (m + blocks - 1) / blocks}
	least := max(1, t.least)
	if m <= 3 { // so few rows stream several panels at once
		least = unitPanels
	}
	g.pieces = cut(threads, (m+g.height-1)/g.height*panels, panels, least, unitPanels)
	return g
}

// piece is n things from at on.
type piece struct{ at, n int32 }

// cut divides 0..total into pieces of least to most, none across a multiple of line. Threads that take one after another each get, as long as they keep pace,
// what follows their last one, which the caches may already be fetching; and pieces get smaller towards the end, so that threads finish together.
func cut(threads, total, line, least, most int) []piece {
	threads = max(1, min(threads, total/least))
	out := make([]piece, 0, total/most+4*threads)
	at := make([]int, threads)
	for t := range at {
		at[t] = t * total / threads
	}
	for again := true; again; {
		again = false
		for t := range at {
			left := (t+1)*total/threads - at[t]
			if left == 0 {
				continue
			}
			n := most
			if threads > 1 {
				n = min(most, max(least, left/3))
			}
			n = min(n, left, line-at[t]%line)
			out = append(out, piece{int32(at[t]), int32(n)})
			at[t] += n
			again = true
		}
	}
	return out
}

// unit is a block of rows from i0 on and a run of panels from p0 on.
func (g *grid) unit(u int) (i0, rows, p0, width int) {
	p := g.pieces[u]
	at := int(p.at)
	i0 = at / g.panels * g.height
	return i0, min(g.height, g.m-i0), at % g.panels, int(p.n)
}

// gemmGrid splits C into units and runs the tile of the current level over them.
func gemmGrid(threads, m int, a []float32, lda int, b *Panel, c []float32, ldc int, ep Epilogue) {
	t := current.Load()
	g := newGrid(t, workers(threads), m, panelsOf(b.N))
	Parallel(threads, len(g.pieces), func(u int) {
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
