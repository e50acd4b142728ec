package kernel

// Column copies column n of the packed matrix (K values) to dst: a row of the (N,K) weight that the panels were packed from.
func (p *Panel) Column(dst []float32, n int) {
	if n < 0 || n >= p.N || len(dst) != p.K {
		panic("kernel: Column: no such column")
	}
	if p.coded != nil {
		w := p.code.words()
		runs := p.coded[n/panelWidth*(p.K/RunValues)*w:]
		for k := range dst {
			dst[k] = p.code.value(runs[k/RunValues*w:][:w], k%RunValues, n%panelWidth)
		}
		return
	}
	at := n/panelWidth*panelWidth*p.K + n%panelWidth
	for k := range dst {
		if p.half != nil {
			dst[k] = p.format.value(p.half[at+k*panelWidth])
		} else {
			dst[k] = p.data[at+k*panelWidth]
		}
	}
}
