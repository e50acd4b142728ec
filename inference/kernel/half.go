package kernel

import (
	"math"
	"sync"
	"unsafe"
)

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

// PackHalfFrom packs a matrix (n,k), the weight of a linear layer, as PackFrom does, but keeps the values in 16 bits.
func PackHalfFrom(s *Store, format Half, k, n int, read func(lo int, dst []uint16) error) (*Panel, error) {
	if format != F16 && format != BF16 {
		panic("kernel: PackHalfFrom: unknown format")
	}
	p := &Panel{K: k, N: n, format: format, half: s.halves(panelsOf(n) * k * panelWidth)}
	var mu sync.Mutex
	var failed error
	Parallel(0, panelsOf(n), func(u int) {
		lo, hi := span(n, panelWidth, u)
		words := scratch(panelWidth * k) // twice what the rows take
		defer release(words)
		rows := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(*words))), (hi-lo)*k)
		if err := read(lo, rows); err != nil {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
			return
		}
		out := p.half[lo*k:]
		for j := range hi - lo {
			for r, v := range rows[j*k : (j+1)*k] {
				out[r*panelWidth+j] = v
			}
		}
	})
	return p, failed
}

// halves returns n zeros.
func (s *Store) halves(n int) []uint16 {
	if n == 0 {
		return []uint16{}
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(s.Take((n+1)/2)))), n)
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
