package kernel

// Pool is the geometry of a pooling over channels-last images: x (N,H,W,C), y (N,OutH,OutW,C).
type Pool struct {
	N, H, W, C                           int
	KH, KW, StrideH, StrideW             int
	PadTop, PadLeft, PadBottom, PadRight int
	Ceil                                 bool // round the output size up, as ceil_mode of PyTorch
	CountPad                             bool // AvgPool2D divides by the whole window, padding included
}

func pooled(n, k, stride, before, after int, up bool) int {
	stride = max(1, stride)
	room := n + before + after - k
	out := floorDiv(room, stride) + 1
	if up && room > 0 && room%stride != 0 && out*stride < n+before { // a window must start inside the image or its leading padding
		out++
	}
	return out
}

// OutH is the height of the output.
func (p Pool) OutH() int { return pooled(p.H, p.KH, p.StrideH, p.PadTop, p.PadBottom, p.Ceil) }

// OutW is the width of the output.
func (p Pool) OutW() int { return pooled(p.W, p.KW, p.StrideW, p.PadLeft, p.PadRight, p.Ceil) }

func (p Pool) check(x, y int) {
	if p.KH < 1 || p.KW < 1 || p.OutH() < 1 || p.OutW() < 1 {
		panic("kernel: Pool: window does not fit the image")
	}
	if x < p.N*p.H*p.W*p.C || y < p.N*p.OutH()*p.OutW()*p.C {
		panic("kernel: Pool: operand shorter than its shape")
	}
}

// window is the part of the window of output (oh,ow) inside the image, and its size with the padding that counts.
func (p Pool) window(oh, ow int) (h0, h1, w0, w1, whole int) {
	h0, w0 = oh*max(1, p.StrideH)-p.PadTop, ow*max(1, p.StrideW)-p.PadLeft
	h1, w1 = min(h0+p.KH, p.H+p.PadBottom), min(w0+p.KW, p.W+p.PadRight)
	whole = (h1 - h0) * (w1 - w0)
	return max(h0, 0), min(h1, p.H), max(w0, 0), min(w1, p.W), whole
}

// MaxPool2D takes the largest element of each window; of equal ones the first in row-major order, and NaN wins, as in PyTorch. index, if not nil, is
// shaped like y and receives the position h*W+w of each maximum, -1 for a window wholly in the padding (whose value is -Inf).
func MaxPool2D(threads int, p Pool, x, y []float32, index []int32) {
	p.check(len(x), len(y))
	oh, ow, c := p.OutH(), p.OutW(), p.C
	t := current.Load()
	Parallel(threads, p.N*oh, func(u int) {
		n, r := u/oh, u%oh
		for q := range ow {
			o := (u*ow + q) * c
			best := y[o : o+c]
			var at []int32
			if index != nil {
				at = index[o : o+c]
			}
			p.maxWindow(t, x[n*p.H*p.W*c:], r, q, best, at)
		}
	})
}

func largerGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		m, v := a[i], b[i]
		if v > m || v != v {
			m = v
		}
		dst[i] = m
	}
}

func (p Pool) maxWindow(t *table, x []float32, oh, ow int, best []float32, at []int32) {
	for j := range best {
		best[j] = negInf
	}
	if at == nil {
		p.largest(t, x, oh, ow, best)
		return
	}
	first := true
	h0, h1, w0, w1, _ := p.window(oh, ow)
	for h := h0; h < h1; h++ {
		for w := w0; w < w1; w++ {
			pos := h*p.W + w
			for j, v := range x[pos*p.C : pos*p.C+p.C] {
				if first || v > best[j] || v != v {
					best[j], at[j] = v, int32(pos)
				}
			}
			first = false
		}
	}
	if first {
		for j := range at {
			at[j] = -1
		}
	}
}

// largest is maxWindow without positions.
func (p Pool) largest(t *table, x []float32, oh, ow int, best []float32) {
	h0, h1, w0, w1, _ := p.window(oh, ow)
	for h := h0; h < h1; h++ {
		for w := w0; w < w1; w++ {
			v := x[(h*p.W+w)*p.C:][:p.C]
			if h == h0 && w == w0 {
				copy(best, v) // the sign of a first zero counts
			} else {
				t.larger(best, best, v)
			}
		}
	}
}

// MaxPool2DBackward adds each dy, in row-major order of the outputs, to the position in index; dx is overwritten.
func MaxPool2DBackward(threads int, p Pool, dy []float32, index []int32, dx []float32) {
	p.check(len(dx), len(dy))
	out, in := p.OutH()*p.OutW(), p.H*p.W
	if len(index) < p.N*out*p.C {
		panic("kernel: Pool: operand shorter than its shape")
	}
	Parallel(threads, p.N, func(n int) {
		d := dx[n*in*p.C : (n+1)*in*p.C]
		clear(d)
		for o := range out {
			base := (n*out + o) * p.C
			for j, g := range dy[base : base+p.C] {
				if at := index[base+j]; at >= 0 {
					d[int(at)*p.C+j] += g
				}
			}
		}
	})
}

// AvgPool2D takes the mean of each window, added up in row-major order.
func AvgPool2D(threads int, p Pool, x, y []float32) {
	p.check(len(x), len(y))
	oh, ow, c := p.OutH(), p.OutW(), p.C
	t := current.Load()
	Parallel(threads, p.N*oh, func(u int) {
		img := x[u/oh*p.H*p.W*c:]
		for q := range ow {
			acc := y[(u*ow+q)*c : (u*ow+q+1)*c]
			clear(acc)
			h0, h1, w0, w1, whole := p.window(u%oh, q)
			for h := h0; h < h1; h++ {
				for w := w0; w < w1; w++ {
					at := (h*p.W + w) * c
					t.add(acc, acc, img[at:at+c])
				}
			}
			t.divide(acc, acc, p.divisor(h0, h1, w0, w1, whole))
		}
	})
}

func (p Pool) divisor(h0, h1, w0, w1, whole int) float32 {
	if p.CountPad {
		return float32(whole)
	}
	return float32(max(1, (h1-h0)*(w1-w0)))
}

// AvgPool2DBackward spreads dy evenly over its window; dx is overwritten.
func AvgPool2DBackward(threads int, p Pool, dy, dx []float32) {
	p.check(len(dx), len(dy))
	oh, ow, c := p.OutH(), p.OutW(), p.C
	t := current.Load()
	Parallel(threads, p.N, func(n int) {
		d := dx[n*p.H*p.W*c : (n+1)*p.H*p.W*c]
		clear(d)
		s := scratch(c)
		defer release(s)
		for o := range oh * ow {
			h0, h1, w0, w1, whole := p.window(o/ow, o%ow)
			div := p.divisor(h0, h1, w0, w1, whole)
			t.divide(*s, dy[(n*oh*ow+o)*c:(n*oh*ow+o+1)*c], div)
			for h := h0; h < h1; h++ {
				for w := w0; w < w1; w++ {
					at := (h*p.W + w) * c
					t.add(d[at:at+c], d[at:at+c], *s)
				}
			}
		}
	})
}

// GlobalAvgPool sets y (n,c) to the mean over the hw positions of x (n,hw,c), summed in the lane order of the package.
func GlobalAvgPool(threads, n, hw, c int, x, y []float32) {
	if len(x) < n*hw*c || len(y) < n*c {
		panic("kernel: GlobalAvgPool: operand shorter than its shape")
	}
	t := current.Load()
	Parallel(threads, n, func(i int) {
		s := scratch(lanes * c)
		defer release(s)
		acc := *s
		clear(acc)
		for p := range hw {
			l := acc[p%lanes*c : (p%lanes+1)*c]
			at := (i*hw + p) * c
			t.add(l, l, x[at:at+c])
		}
		for h := lanes / 2; h > 0; h /= 2 {
			t.add(acc[:h*c], acc[:h*c], acc[h*c:2*h*c])
		}
		t.divide(y[i*c:(i+1)*c], acc[:c], float32(hw))
	})
}

// GlobalAvgPoolBackward sets dx (n,hw,c) = dy (n,c) / hw.
func GlobalAvgPoolBackward(threads, n, hw, c int, dy, dx []float32) {
	if len(dx) < n*hw*c || len(dy) < n*c {
		panic("kernel: GlobalAvgPool: operand shorter than its shape")
	}
	Parallel(threads, n, func(i int) {
		first := dx[i*hw*c : (i*hw+1)*c]
		current.Load().divide(first, dy[i*c:(i+1)*c], float32(hw))
		for p := 1; p < hw; p++ {
			copy(dx[(i*hw+p)*c:(i*hw+p+1)*c], first)
		}
	})
}
