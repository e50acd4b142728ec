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
	runs                       []run // of the taps, for one group
}

// gatherRows is the most grid pixels of one unit.
const gatherRows = 96

// place is the source pixel that a grid pixel starts from, before a tap's offset.
type place struct {
	n, y, x int
	at      int  // of its first channel, if it lay inside the image
	inside  bool // so do all its taps
}

func (g *gather) place(pixel int) place {
	r := pixel / g.gridW
	p := place{n: r / g.gridH, y: r % g.gridH * g.stepH, x: pixel % g.gridW * g.stepW}
	p.at = ((p.n*g.srcH+p.y)*g.srcW + p.x) * g.srcC
	return p
}

// reach is how far the taps lie from a place.
func (g *gather) reach() (top, left, bottom, right int) {
	top, left, bottom, right = g.taps[0].oy, g.taps[0].ox, g.taps[0].oy, g.taps[0].ox
	for _, t := range g.taps {
		top, left, bottom, right = min(top, t.oy), min(left, t.ox), max(bottom, t.oy), max(right, t.ox)
	}
	return
}

// places fills at with the places of grid pixels from p0 on.
func (g *gather) places(at []place, p0 int) {
	top, left, bottom, right := g.reach()
	for i := range at {
		p := g.place(p0 + i)
		p.inside = p.y+top >= 0 && p.x+left >= 0 && p.y+bottom < g.srcH && p.x+right < g.srcW
		at[i] = p
	}
}

// source is the index of the first channel of the source pixel of a tap, or -1 outside the image.
func (g *gather) source(p place, t tap) int {
	y, x := p.y+t.oy, p.x+t.ox
	if uint(y) >= uint(g.srcH) || uint(x) >= uint(g.srcW) {
		return -1
	}
	return ((p.n*g.srcH+y)*g.srcW + x) * g.srcC
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
	if g.isNarrow(t, ep) {
		g.narrow(threads, src, dst)
		return
	}
	g.findRuns()
	pixels, most := g.pixels(), gatherRows
	switch n := workers(threads); {
	case n == 1: // as even as can be
		units := (pixels + gatherRows - 1) / gatherRows
		most = (pixels + units - 1) / units
	case g.dense() && g.weight.panels[0].N%panelWidth == 0 && (pixels <= gatherRows || g.weight.panels[0].K*g.weight.panels[0].N >= heavy):
		g.shared(threads, src, dst, ep)
		return
	}
	pieces := cut(workers(threads), pixels, pixels, 12, most)
	Parallel(threads, len(pieces), func(u int) {
		for group := range g.weight.panels {
			g.unit(t, src, dst, ep, int(pieces[u].at), int(pieces[u].n), group)
		}
	})
}

// heavy is from how many weights on threads had better divide the panels than each pass over all of them.
var heavy = 1 << 20

// shared is the case of few pixels or heavy weights: for each block of pixels the threads fill one A together, then divide the panels.
func (g *gather) shared(threads int, src, dst []float32, ep Epilogue) {
	pixels := g.pixels()
	blocks := (pixels + gatherRows - 1) / gatherRows
	rows := (pixels + blocks - 1) / blocks
	as := scratch(rows * g.weight.panels[0].K)
	defer release(as)
	for p0 := 0; p0 < pixels; p0 += rows {
		n := min(rows, pixels-p0)
		var at [gatherRows]place
		g.places(at[:n], p0)
		for group, b := range g.weight.panels {
			cg := b.K / len(g.taps)
			Parallel(threads, (n+5)/6, func(u int) {
				lo, hi := span(n, 6, u)
				g.fill((*as)[lo*b.K:hi*b.K], src, at[lo:hi], group*cg, cg, 0, b.K)
			})
			j := group * b.N
			gemmGrid(threads, n, *as, b.K, b, dst[p0*g.dstC+j:], g.dstC, ep.from(p0*g.dstC+j, j))
		}
	}
}

// unit computes the channels of one group for rows grid pixels from p0 on.
func (g *gather) unit(t *table, src, dst []float32, ep Epilogue, p0, rows, group int) {
	b := g.weight.panels[group]
	cg := b.K / len(g.taps)
	panels := panelsOf(b.N)
	channel := group * b.N
	out, ldo := []float32(nil), panels*panelWidth
	direct := g.dense() && b.N == ldo
	if direct {
		out, ldo = dst[p0*g.dstC+channel:], g.dstC
	} else {
		s := scratch(rows * ldo)
		defer release(s)
		out = *s
	}
	as := scratch(rows * depth)
	defer release(as)
	var at [gatherRows]place
	g.places(at[:rows], p0)
	for k0 := 0; k0 < b.K; k0 += depth {
		kc := min(depth, b.K-k0)
		g.fill((*as)[:rows*kc], src, at[:rows], group*cg, cg, k0, kc)
		for q := 0; q < panels; q += unitPanels {
			w := min(unitPanels, panels-q)
			at, to := q*panelWidth, out[q*panelWidth:]
			if direct && k0+kc == b.K {
				j := channel + at
				t.last(rows, w, kc, *as, kc, b.data[at*b.K+k0*panelWidth:], b.K*panelWidth, to, ldo, k0 > 0, ep.from(p0*g.dstC+j, j))
			} else {
				t.gemm(rows, w, kc, *as, kc, b.data[at*b.K+k0*panelWidth:], b.K*panelWidth, to, ldo, k0 > 0)
			}
		}
	}
	if direct {
		return
	}
	for i := range rows {
		r := g.row(p0 + i)
		copy(dst[r*g.dstC+channel:r*g.dstC+channel+b.N], out[i*ldo:])
		t.finish(1, b.N, dst[r*g.dstC+channel:], g.dstC, ep.from(r*g.dstC+channel, channel))
	}
}

// run is a stretch of the chain whose operands lie side by side in the source: taps next to each other in one row, or the channels of one tap.
type run struct{ taps, oy, ox int }

func (g *gather) findRuns() {
	for i, t := range g.taps {
		if l := len(g.runs) - 1; i > 0 && len(g.weight.panels) == 1 && t.oy == g.runs[l].oy && t.ox == g.runs[l].ox+g.runs[l].taps {
			g.runs[l].taps++
			continue
		}
		g.runs = append(g.runs, run{1, t.oy, t.ox})
	}
}

// fill copies the operands k0..k0+kc of the chain of each pixel into rows of a; those outside the image become zeros.
func (g *gather) fill(a, src []float32, at []place, c0, cg, k0, kc int) {
	start := 0
	for _, r := range g.runs {
		n := r.taps * cg
		lo, hi := max(k0-start, 0), min(k0+kc-start, n) // the part of the run in this block
		if lo < hi {
			out := start + lo - k0
			first := (r.oy*g.srcW+r.ox)*g.srcC + c0 + lo // from a place to the first operand
			for i := range at {
				row := a[i*kc+out : i*kc+out+hi-lo]
				if p := &at[i]; p.inside {
					copy(row, src[p.at+first:])
				} else {
					g.copyRun(row, src, *p, r, c0, cg, lo)
				}
			}
		}
		start += n
	}
}

// copyRun fills out with the elements of a run from lo on.
func (g *gather) copyRun(out, src []float32, p place, r run, c0, cg, lo int) {
	y, x := p.y+r.oy, p.x+r.ox
	if uint(y) >= uint(g.srcH) {
		clear(out)
		return
	}
	first := min(max(-x*cg-lo, 0), len(out))            // elements left of the image
	last := max(min((g.srcW-x)*cg-lo, len(out)), first) // where the image ends
	clear(out[:first])
	if first < last {
		s := ((p.n*g.srcH+y)*g.srcW+x)*g.srcC + c0 + lo
		copy(out[first:last], src[s+first:s+last])
	}
	clear(out[last:])
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
			at := g.place(p)
			for ti, tp := range g.taps {
				if s := g.source(at, tp); s >= 0 {
					t.fma3(acc, src[s:s+c], g.weight.depthwise[ti*c:(ti+1)*c], acc)
				}
			}
			t.finish(1, c, acc, c, ep.from(r*c, 0))
		}
	})
}
