package kernel

import "math"

// Half is a format of 16 bits: every value of it is a float32, so widening is exact.
type Half uint8

// The formats: IEEE 754 binary16, and the upper half of a float32.
const (
	F16 Half = iota + 1
	BF16
)

// PackHalf packs as Pack does, but keeps the values in 16 bits: half the memory to hold and to stream. Products widen a block at a time inside the caches
// and have the bits of the widened matrix.
func PackHalf(format Half, b []uint16, k, n int, transposed bool) *Panel {
	if len(b) != k*n || (format != F16 && format != BF16) {
		panic("kernel: PackHalf: length does not fit the shape")
	}
	p := &Panel{K: k, N: n, format: format, half: make([]uint16, panelsOf(n)*k*panelWidth)}
	Parallel(0, panelsOf(n), func(u int) {
		lo, hi := span(n, panelWidth, u)
		out := p.half[lo*k:]
		for j := lo; j < hi; j++ {
			for r := range k {
				if transposed {
					out[r*panelWidth+j-lo] = b[j*k+r]
				} else {
					out[r*panelWidth+j-lo] = b[r*n+j]
				}
			}
		}
	})
	return p
}

// Widened is the panel with its values in float32; one that is so already is returned as it is.
func (p *Panel) Widened() *Panel {
	if p.half == nil {
		return p
	}
	q := &Panel{K: p.K, N: p.N, data: make([]float32, len(p.half))}
	p.format.widen(current.Load(), q.data, p.half)
	return q
}

// widen sets dst to the values of src, whose length is a multiple of 16.
func (f Half) widen(t *table, dst []float32, src []uint16) {
	if f == F16 {
		t.widenF16(dst, src)
	} else {
		t.widenBF16(dst, src)
	}
}

// value is the float32 of one pattern.
func (f Half) value(v uint16) float32 {
	if f == BF16 {
		return math.Float32frombits(uint32(v) << 16)
	}
	sign, e, m := uint32(v&0x8000)<<16, uint32(v>>10&31), uint32(v&0x3ff)
	switch e {
	case 0: // a zero or m·2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(m)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | m<<13)
	}
	return math.Float32frombits(sign | (e+112)<<23 | m<<13)
}

func widenBF16Generic(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = BF16.value(v)
	}
}

func widenF16Generic(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = F16.value(v)
	}
}

// product computes panels p0..p0+panels of a product with b, and the epilogue seen from c.
func (b *Panel) product(t *table, rows, p0, panels int, a []float32, lda int, c []float32, ldc int, ep Epilogue) {
	if b.half == nil {
		t.product(rows, panels, b.K, a, lda, b.data[p0*panelWidth*b.K:], b.K*panelWidth, c, ldc, ep)
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
				at := ((p0+q+i)*b.K + k0) * panelWidth
				b.format.widen(t, (*s)[i*kc*panelWidth:][:kc*panelWidth], b.half[at:at+kc*panelWidth])
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
