package kernel

// gather describes a convolution in either direction as: for each pixel of a grid, a list of taps, each one source pixel at a fixed offset. Rows of source
// values are copied a block at a time into the A operand of the matrix tile, so no full column image exists.
type gather struct {
	images, srcH, srcW, srcC   int
	gridH, gridW, stepH, stepW int
	taps                       []tap
	dstH, dstW, dstC           int
	phaseH, phaseW, outH, outW int // grid (y,x) lands on destination (phaseH+y*outH, phaseW+x*outW)
	weight                     filterPanels
}

// gatherRows is the number of grid pixels of one unit.
const gatherRows = 48

// source is the index of the first channel of the source pixel of a tap, or -1 outside the image.
func (g *gather) source(pixel int, t tap) int {
	x := pixel % g.gridW
	r := pixel / g.gridW
	y, n := r%g.gridH, r/g.gridH
	y, x = y*g.stepH+t.oy, x*g.stepW+t.ox
	if uint(y) >= uint(g.srcH) || uint(x) >= uint(g.srcW) {
		return -1
	}
	return ((n*g.srcH+y)*g.srcW + x) * g.srcC
}

// row is the destination row, in pixels, of a grid pixel.
func (g *gather) row(pixel int) int {
	x := pixel % g.gridW
	r := pixel / g.gridW
	y, n := r%g.gridH, r/g.gridH
	return (n*g.dstH+g.phaseH+y*g.outH)*g.dstW + g.phaseW + x*g.outW
}

func (g *gather) pixels() int { return g.images * g.gridH * g.gridW }

func (g *gather) dense() bool { return g.outH == 1 && g.outW == 1 }

func (g *gather) zero(dst []float32) {
	for p := range g.pixels() {
		r := g.row(p) * g.dstC
		clear(dst[r : r+g.dstC])
	}
}

func (g *gather) run(threads int, src, dst []float32, ep Epilogue) {
	if g.weight.depthwise != nil {
		g.depthwise(threads, src, dst, ep)
		return
	}
	t := current.Load()
	pixels, panels := g.pixels(), panelsOf(g.weight.panels[0].N)
	rows := min(gatherRows, pixels)
	rowUnits := (pixels + rows - 1) / rows
	groups := len(g.weight.panels)
	wide := panels // panels of a unit; fewer where the pixels alone do not feed the threads
	for wide > unitPanels && rowUnits*groups*((panels+wide-1)/wide) < 4*workers(threads) {
		wide = (wide/2 + unitPanels - 1) / unitPanels * unitPanels
	}
	colUnits := (panels + wide - 1) / wide
	Parallel(threads, rowUnits*groups*colUnits, func(u int) {
		p0 := u / (groups * colUnits) * rows
		group, col := u/colUnits%groups, u%colUnits
		g.unit(t, src, dst, ep, p0, min(rows, pixels-p0), group, col*wide, min(wide, panels-col*wide))
	})
}

// unit computes the panels first..first+panels of one group for rows grid pixels from p0 on.
func (g *gather) unit(t *table, src, dst []float32, ep Epilogue, p0, rows, group, first, panels int) {
	b := g.weight.panels[group]
	cg := b.K / len(g.taps)
	lo := first * panelWidth
	hi := min(b.N, lo+panels*panelWidth)
	channel := group*b.N + lo
	out, ldo := []float32(nil), panels*panelWidth
	direct := g.dense() && hi-lo == ldo
	if direct {
		out, ldo = dst[p0*g.dstC+channel:], g.dstC
	} else {
		s := scratch(rows * ldo)
		defer release(s)
		out = *s
	}
	as := scratch(rows * depth)
	defer release(as)
	for k0 := 0; k0 < b.K; k0 += depth {
		kc := min(depth, b.K-k0)
		g.fill((*as)[:rows*kc], src, p0, rows, group*cg, cg, k0, kc)
		for q := 0; q < panels; q += unitPanels {
			w := min(unitPanels, panels-q)
			at := (first + q) * panelWidth
			t.gemm(rows, w, kc, *as, kc, b.data[at*b.K+k0*panelWidth:], b.K*panelWidth, out[q*panelWidth:], ldo, k0 > 0)
		}
	}
	if direct {
		finish(t, dst, g.dstC, p0, p0+rows, channel, channel+hi-lo, ep)
		return
	}
	for i := range rows {
		r := g.row(p0 + i)
		copy(dst[r*g.dstC+channel:r*g.dstC+channel+hi-lo], out[i*ldo:])
		finish(t, dst, g.dstC, r, r+1, channel, channel+hi-lo, ep)
	}
}

// fill copies the operands k0..k0+kc of the chain of each pixel into rows of a.
func (g *gather) fill(a, src []float32, p0, rows, c0, cg, k0, kc int) {
	for k := k0; k < k0+kc; {
		ti, c := k/cg, k%cg
		run := min(cg-c, k0+kc-k)
		for i := range rows {
			out := a[i*kc+k-k0 : i*kc+k-k0+run]
			if s := g.source(p0+i, g.taps[ti]); s >= 0 {
				copy(out, src[s+c0+c:s+c0+c+run])
			} else {
				clear(out)
			}
		}
		k += run
	}
}

// depthwise runs the chains of all channels of a pixel together; taps outside the image are left out.
func (g *gather) depthwise(threads int, src, dst []float32, ep Epilogue) {
	t := current.Load()
	pixels, c := g.pixels(), g.dstC
	per := max(1, rowUnit/max(1, c*len(g.taps)))
	Parallel(threads, (pixels+per-1)/per, func(u int) {
		lo, hi := span(pixels, per, u)
		for p := lo; p < hi; p++ {
			r := g.row(p)
			acc := dst[r*c : (r+1)*c]
			clear(acc)
			for ti, tp := range g.taps {
				if s := g.source(p, tp); s >= 0 {
					t.fma3(acc, src[s:s+c], g.weight.depthwise[ti*c:(ti+1)*c], acc)
				}
			}
			finish(t, dst, c, r, r+1, 0, c, ep)
		}
	})
}
