package kernel

import "sync"

// Conv is the geometry of a two-dimensional convolution over channels-last images: x (N,H,W,C), y (N,OutH,OutW,O).
type Conv struct {
	N, H, W, C                           int
	O, KH, KW                            int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	DilationH, DilationW, Groups         int // zero means one
}

func (s Conv) normal() Conv {
	s.StrideH, s.StrideW = max(1, s.StrideH), max(1, s.StrideW)
	s.DilationH, s.DilationW, s.Groups = max(1, s.DilationH), max(1, s.DilationW), max(1, s.Groups)
	return s
}

// OutH is the height of the output, zero or less where the filter does not fit.
func (s Conv) OutH() int {
	s = s.normal()
	return floorDiv(s.H+s.PadTop+s.PadBottom-s.DilationH*(s.KH-1)-1, s.StrideH) + 1
}

// OutW is the width of the output.
func (s Conv) OutW() int {
	s = s.normal()
	return floorDiv(s.W+s.PadLeft+s.PadRight-s.DilationW*(s.KW-1)-1, s.StrideW) + 1
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// Filter is a convolution weight, packed once; the panels of the reverse direction are packed on first use and kept. Safe for concurrent use.
type Filter struct {
	O, I, KH, KW, Groups int       // I is the input channels of a group
	w                    []float32 // (O,I,KH,KW)
	forward              filterPanels
	mu                   sync.Mutex
	backward             map[phase]filterPanels
}

// filterPanels is the weight for one list of taps: a panel for each group, or (taps,C) values when every channel is its own group.
type filterPanels struct {
	panels    []*Panel
	depthwise []float32
}

// phase tells the pixels of dx apart that see different taps when the stride is above one.
type phase struct{ rh, rw, sh, sw, dh, dw int }

type tap struct{ kh, kw, oy, ox int } // source row = grid row * step + oy

// PackConv packs w (O,I,KH,KW), I being the input channels of one group. It keeps a reference to w.
func PackConv(w []float32, o, i, kh, kw, groups int) *Filter {
	if groups < 1 || o%groups != 0 || len(w) != o*i*kh*kw {
		panic("kernel: PackConv: length does not fit the shape")
	}
	f := &Filter{O: o, I: i, KH: kh, KW: kw, Groups: groups, w: w, backward: map[phase]filterPanels{}}
	var taps []tap
	for h := range kh {
		for v := range kw {
			taps = append(taps, tap{kh: h, kw: v})
		}
	}
	f.forward = f.pack(taps, false)
	return f
}

func (f *Filter) depthwise() bool { return f.Groups > 1 && f.I == 1 && f.O == f.Groups }

// pack lays the weight out with rows (tap, input channel) and columns output channel; back swaps the two channels.
func (f *Filter) pack(taps []tap, back bool) filterPanels {
	at := func(o, i int, t tap) float32 { return f.w[((o*f.I+i)*f.KH+t.kh)*f.KW+t.kw] }
	if f.depthwise() {
		d := make([]float32, 0, len(taps)*f.O)
		for _, t := range taps {
			for o := range f.O {
				d = append(d, at(o, 0, t))
			}
		}
		return filterPanels{depthwise: d}
	}
	og := f.O / f.Groups
	var out []*Panel
	b := make([]float32, len(taps)*f.I*og)
	for g := range f.Groups {
		for ti, t := range taps {
			for i := range f.I {
				for o := range og {
					v := at(g*og+o, i, t)
					if back {
						b[(ti*og+o)*f.I+i] = v
					} else {
						b[(ti*f.I+i)*og+o] = v
					}
				}
			}
		}
		if back {
			out = append(out, Pack(b, len(taps)*og, f.I, false))
		} else {
			out = append(out, Pack(b, len(taps)*f.I, og, false))
		}
	}
	return filterPanels{panels: out}
}

func (s Conv) check(f *Filter, x, y []float32) {
	if s.N < 0 || s.C != f.I*f.Groups || s.O != f.O || s.KH != f.KH || s.KW != f.KW || s.Groups != f.Groups ||
		s.PadTop < 0 || s.PadLeft < 0 || s.PadBottom < 0 || s.PadRight < 0 {
		panic("kernel: Conv2D: filter does not fit the geometry")
	}
	if s.OutH() < 1 || s.OutW() < 1 {
		panic("kernel: Conv2D: image smaller than the filter")
	}
	if len(x) < s.N*s.H*s.W*s.C || len(y) < s.N*s.OutH()*s.OutW()*s.O {
		panic("kernel: Conv2D: operand shorter than its shape")
	}
}

// Conv2D computes y from x (N,H,W,C). An element is one chain over (kh, kw, channel of the group); positions outside the image enter it as zeros, except
// that where every channel is its own group they are left out. The epilogue sees y as (N·OutH·OutW, O). y must not overlap x.
func Conv2D(threads int, s Conv, x []float32, f *Filter, y []float32, ep Epilogue) {
	s = s.normal()
	s.check(f, x, y)
	if (ep.Bias != nil && len(ep.Bias) != s.O) || (ep.Residual != nil && len(ep.Residual) < s.N*s.OutH()*s.OutW()*s.O) {
		panic("kernel: Conv2D: epilogue does not fit")
	}
	if s.pointwise() {
		Gemm(threads, s.N*s.H*s.W, x, s.C, f.forward.panels[0], y, s.O, ep)
		return
	}
	g := &gather{images: s.N, srcH: s.H, srcW: s.W, srcC: s.C, gridH: s.OutH(), gridW: s.OutW(), stepH: s.StrideH, stepW: s.StrideW,
		dstH: s.OutH(), dstW: s.OutW(), dstC: s.O, outH: 1, outW: 1, weight: f.forward}
	for kh := range s.KH {
		for kw := range s.KW {
			g.taps = append(g.taps, tap{kh, kw, kh*s.DilationH - s.PadTop, kw*s.DilationW - s.PadLeft})
		}
	}
	g.run(threads, x, y, ep)
}

// pointwise reports a 1×1 convolution that is a matrix product as it lies in memory.
func (s Conv) pointwise() bool {
	return s.KH == 1 && s.KW == 1 && s.StrideH == 1 && s.StrideW == 1 && s.Groups == 1 && s.PadTop|s.PadLeft|s.PadBottom|s.PadRight == 0
}

// Conv2DBackwardInput computes dx (N,H,W,C) from dy (N,OutH,OutW,O). An element is one chain over the (kh, kw, output channel of the group) whose stride
// meets it; outputs outside the image enter as zeros. dx must not overlap dy.
func Conv2DBackwardInput(threads int, s Conv, dy []float32, f *Filter, dx []float32) {
	s = s.normal()
	s.check(f, dx, dy)
	for ph := range min(s.StrideH, s.H) {
		for pw := range min(s.StrideW, s.W) {
			g := s.backwardPhase(ph, pw)
			if len(g.taps) == 0 {
				g.zero(dx)
				continue
			}
			key := phase{(ph + s.PadTop) % s.StrideH, (pw + s.PadLeft) % s.StrideW, s.StrideH, s.StrideW, s.DilationH, s.DilationW}
			g.weight = f.transposed(key, g.taps)
			if s.pointwise() {
				Gemm(threads, s.N*s.H*s.W, dy, s.O, g.weight.panels[0], dx, s.C, Epilogue{})
				return
			}
			g.run(threads, dy, dx, Epilogue{})
		}
	}
}

func (f *Filter) transposed(key phase, taps []tap) filterPanels {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.backward[key]
	if !ok {
		w = f.pack(taps, true)
		f.backward[key] = w
	}
	return w
}

// Unpacked is the number of bytes that the first reverse pass packs and keeps, 0 when that has been.
func (f *Filter) Unpacked() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.backward) > 0 {
		return 0
	}
	return 4 * int64(len(f.w))
}

// backwardPhase is the gather for the pixels of dx at rows ph, ph+stride, ... and columns pw, pw+stride, ...
func (s Conv) backwardPhase(ph, pw int) *gather {
	g := &gather{images: s.N, srcH: s.OutH(), srcW: s.OutW(), srcC: s.O, stepH: 1, stepW: 1,
		gridH: (s.H - ph + s.StrideH - 1) / s.StrideH, gridW: (s.W - pw + s.StrideW - 1) / s.StrideW,
		dstH: s.H, dstW: s.W, dstC: s.C, phaseH: ph, phaseW: pw, outH: s.StrideH, outW: s.StrideW}
	for kh := range s.KH {
		for kw := range s.KW {
			h, w := ph+s.PadTop-kh*s.DilationH, pw+s.PadLeft-kw*s.DilationW
			if floorDiv(h, s.StrideH)*s.StrideH == h && floorDiv(w, s.StrideW)*s.StrideW == w {
				g.taps = append(g.taps, tap{kh, kw, floorDiv(h, s.StrideH), floorDiv(w, s.StrideW)})
			}
		}
	}
	return g
}
