package kernel

// SoftmaxRange is Softmax of one row whose elements outside [lo,hi) are masked: they become zero and contribute exactly nothing. Lanes count from the
// start of the row, so the bits do not depend on how much masked tail a row has. dst may be src; lo < hi.
func SoftmaxRange(dst, src []float32, lo, hi int, scale float32) {
	if lo < 0 || lo >= hi || hi > len(src) || len(dst) != len(src) {
		panic("kernel: SoftmaxRange: no such range")
	}
	current.Load().softmaxRange(dst, src, lo, hi, scale)
}

func (t *table) softmaxRange(dst, src []float32, lo, hi int, scale float32) {
	clear(dst[hi:])
	clear(dst[:lo])
	d := dst[lo:hi]
	if lo%lanes == 0 {
		t.softmax(d, src[lo:hi], scale)
		return
	}
	t.scale(d, src[lo:hi], scale)
	t.exp(d, d, t.max(d))
	t.divide(d, d, t.sum(dst[lo/lanes*lanes:hi]))
}
