package kernel

// packed reports that the values are kept in fewer bits than they are computed with.
func (p *Panel) packed() bool { return p.data == nil && (p.half != nil || p.coded != nil) }

// Widened is the panel with its values in float32; one that is so already is returned as it is.
func (p *Panel) Widened() *Panel {
	if !p.packed() {
		return p
	}
	q := &Panel{K: p.K, N: p.N, data: make([]float32, panelsOf(p.N)*p.K*panelWidth)}
	t := current.Load()
	Parallel(0, panelsOf(p.N), func(u int) { p.widen(t, q.data[u*p.K*panelWidth:][:p.K*panelWidth], u, 0) })
	return q
}

// widen sets dst to the values of a panel from row k0 on, rows of 16. Of coded ones, k0 and the number of rows are multiples of RunValues.
func (p *Panel) widen(t *table, dst []float32, panel, k0 int) {
	at := panel*p.K + k0
	if p.half != nil {
		p.format.widen(t, dst, p.half[at*panelWidth:][:len(dst)])
		return
	}
	w := p.code.words()
	t.widenCoded(p.code, dst, p.coded[at/RunValues*w:][:len(dst)/(RunValues*panelWidth)*w])
}

// product computes panels p0..p0+panels of a product with b, and the epilogue seen from c.
func (b *Panel) product(t *table, rows, p0, panels int, a []float32, lda int, c []float32, ldc int, ep Epilogue) {
	if !b.packed() {
		t.product(rows, panels, b.K, a, lda, b.data[p0*panelWidth*b.K:], b.K*panelWidth, c, ldc, ep)
		return
	}
	if rows == 1 && b.coded != nil && t.codedRow != nil && b.K > 0 {
		t.codedRow(b, p0, panels, a[:b.K], c[:panels*panelWidth])
		t.finish(1, panels*panelWidth, c, ldc, ep)
		return
	}
	wide, deep := 1, depth // panels and steps widened at once, within the first-level cache
	if rows <= 3 {
		wide, deep = unitPanels, depth/unitPanels
	}
	s := scratch(wide * deep * panelWidth)
	defer release(s)
	for k0 := 0; k0 < b.K || k0 == 0; k0 += deep {
		kc := min(deep, b.K-k0)
		for q := 0; q < panels; q += wide {
			n := min(wide, panels-q)
			for i := range n {
				b.widen(t, (*s)[i*kc*panelWidth:][:kc*panelWidth], p0+q+i, k0)
			}
			x, to := a[min(k0, len(a)):], c[q*panelWidth:]
			if k0+kc == b.K {
				t.last(rows, n, kc, x, lda, *s, kc*panelWidth, to, ldc, k0 > 0, ep.from(q*panelWidth, q*panelWidth))
			} else {
				t.gemm(rows, n, kc, x, lda, *s, kc*panelWidth, to, ldc, k0 > 0)
			}
		}
	}
}
