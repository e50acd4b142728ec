package kernel

// narrow computes a convolution into few channels, the reverse of a network's first one above all. A panel of so few columns would be mostly padding, so the
// roles change: the rows of the product are the channels, its columns are grid pixels side by side in a row of the image, read in place from the source
// turned so that the pixels of a channel lie side by side (zeros around). Each element is the same chain over (tap, channel).
func (g *gather) narrow(threads int, src, dst []float32) {
	t := current.Load()
	b := g.weight.panels[0]
	weights := make([]float32, b.N*b.K) // (channels, chain)
	for r := range b.N {
		for k := range b.K {
			weights[r*b.K+k] = b.data[k*panelWidth+r]
		}
	}
	in := g.turned()
	s := scratch(in.size())
	defer release(s)
	for n := range g.images {
		in.fill(t, threads, *s, src[n*g.srcH*g.srcW*g.srcC:])
		Parallel(threads, g.gridH, func(y int) {
			g.narrowRow(t, in, *s, weights, dst, n, y)
		})
	}
}

// isNarrow says whether narrow is worth turning the source, and possible.
func (g *gather) isNarrow(t *table, ep Epilogue) bool {
	p := g.weight.panels
	return t.gemmRows != nil && len(p) == 1 && p[0].N <= 4 && g.stepH == 1 && g.stepW == 1 && ep.Bias == nil && ep.Residual == nil && ep.Act == ActNone
}

// narrowRow computes one row of grid pixels.
func (g *gather) narrowRow(t *table, in turned, src, weights, dst []float32, n, y int) {
	b := g.weight.panels[0]
	panels := panelsOf(g.gridW)
	ldc := panels * panelWidth
	c := scratch(b.N * ldc)
	defer release(c)
	cg := g.srcC
	for i, tp := range g.taps {
		from := src[(y+tp.oy-in.top)*cg*in.row+tp.ox-in.left:]
		t.gemmRows(b.N, panels, cg, weights[i*cg:], b.K, from, in.row, *c, ldc, i > 0)
	}
	for x := range g.gridW {
		at := ((n*g.dstH+g.phaseH+y*g.outH)*g.dstW + g.phaseW + x*g.outW) * g.dstC
		for r := range b.N {
			dst[at+r] = (*c)[r*ldc+x]
		}
	}
}

// turned is an image with its channels before the columns: element (y,channel,x) lies at (y*channels+channel)*row + x, and pixel (top,left) comes first, with
// zeros outside the image.
type turned struct {
	srcH, srcW, channels, top, left, rows, row int
}

func (g *gather) turned() turned {
	top, left, bottom, right := g.reach()
	p := turned{srcH: g.srcH, srcW: g.srcW, channels: g.srcC, top: min(top, 0), left: min(left, 0)}
	// Whole panels of pixels are read from the last column of taps on.
	p.row = max(g.srcW, right+panelsOf(g.gridW)*panelWidth) - p.left
	p.rows = max(g.srcH, g.gridH+bottom) - p.top
	return p
}

func (p turned) size() int { return p.channels * p.rows * p.row }

func (p turned) fill(t *table, threads int, dst, src []float32) {
	clear(dst[:p.size()])
	Parallel(threads, p.srcH, func(y int) {
		t.transpose(dst[(y-p.top)*p.channels*p.row-p.left:], p.row, src[y*p.srcW*p.channels:], p.channels, p.srcW, p.channels)
	})
}
