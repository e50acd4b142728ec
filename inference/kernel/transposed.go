package kernel

// Transposed packs the transpose of p's matrix: a Panel with K and N exchanged, for the backward pass of a linear layer.
func (p *Panel) Transposed() *Panel {
	b := make([]float32, p.K*p.N) // (K,N) row-major
	for j0 := 0; j0 < p.N; j0 += panelWidth {
		w := min(panelWidth, p.N-j0)
		panel := p.data[j0*p.K : (j0+panelWidth)*p.K]
		for r := range p.K {
			copy(b[r*p.N+j0:r*p.N+j0+w], panel[r*panelWidth:r*panelWidth+w])
		}
	}
	return Pack(b, p.N, p.K, true)
}
