package kernel

// Column copies column n of the packed matrix (K values) to dst: a row of the (N,K) weight that the panels were packed from.
func (p *Panel) Column(dst []float32, n int) {
	if n < 0 || n >= p.N || len(dst) != p.K {
		panic("kernel: Column: no such column")
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
