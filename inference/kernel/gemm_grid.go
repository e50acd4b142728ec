package kernel

// gemmGrid splits C into units and runs the tile of the current level over them.
func gemmGrid(threads, m int, a []float32, lda int, b *Panel, c []float32, ldc int, ep Epilogue) {
	k, n := b.K, b.N
	Parallel(threads, panelsOf(n), func(u int) {
		j0 := u * panelWidth
		w := min(panelWidth, n-j0)
		for i := range m {
			var acc [panelWidth]float32
			row := a[i*lda:]
			for kk := range k {
				bb := b.data[j0*k+kk*panelWidth:]
				for j := range acc {
					acc[j] = FMA(row[kk], bb[j], acc[j])
				}
			}
			copy(c[i*ldc+j0:i*ldc+j0+w], acc[:])
		}
		finish(c, ldc, 0, m, j0, j0+w, ep)
	})
}

// finish applies the epilogue to rows i0..i1 and columns j0..j1.
func finish(c []float32, ldc, i0, i1, j0, j1 int, ep Epilogue) {
	t := current.Load()
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

func gemmGeneric(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int, load bool) {
	panic("kernel: not yet")
}
