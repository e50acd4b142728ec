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

// OutH is the height of the output.
func (s Conv) OutH() int {
	s = s.normal()
	return (s.H+s.PadTop+s.PadBottom-s.DilationH*(s.KH-1)-1)/s.StrideH + 1
}

// OutW is the width of the output.
func (s Conv) OutW() int {
	s = s.normal()
	return (s.W+s.PadLeft+s.PadRight-s.DilationW*(s.KW-1)-1)/s.StrideW + 1
}

// Filter is a packed convolution weight.
type Filter struct {
	O, I, KH, KW, Groups int // I input channels of a group
	w                    []float32
	forward              []*Panel
	mu                   sync.Mutex
	backward             map[phase][]*Panel
}

type phase struct{ h, w, sh, sw, dh, dw, pt, pl int }

// PackConv packs w (O,I,KH,KW), I being the input channels of one group.
func PackConv(w []float32, o, i, kh, kw, groups int) *Filter {
	if len(w) != o*i*kh*kw || groups < 1 || o%groups != 0 {
		panic("kernel: PackConv: length does not fit the shape")
	}
	return &Filter{O: o, I: i, KH: kh, KW: kw, Groups: groups, w: w}
}

// Conv2D computes y from x (N,H,W,C). An element is one chain over (kh, kw, channel of the group); positions outside the image enter it as zeros. The
// epilogue sees y as (N·OutH·OutW, O).
func Conv2D(threads int, s Conv, x []float32, f *Filter, y []float32, ep Epilogue) {
	s = s.normal()
	oh, ow := s.OutH(), s.OutW()
	og := f.O / f.Groups
	for n := range s.N {
		for p := range oh * ow {
			for o := range f.O {
				var acc float32
				for kh := range f.KH {
					for kw := range f.KW {
						ih := p/ow*s.StrideH - s.PadTop + kh*s.DilationH
						iw := p%ow*s.StrideW - s.PadLeft + kw*s.DilationW
						for i := range f.I {
							var v float32
							if ih >= 0 && ih < s.H && iw >= 0 && iw < s.W {
								v = x[((n*s.H+ih)*s.W+iw)*s.C+o/og*f.I+i]
							}
							acc = FMA(v, f.w[((o*f.I+i)*f.KH+kh)*f.KW+kw], acc)
						}
					}
				}
				y[(n*oh*ow+p)*f.O+o] = acc
			}
		}
	}
	finish(y, f.O, 0, s.N*oh*ow, 0, f.O, ep)
}

// Conv2DBackwardInput computes dx (N,H,W,C) from dy (N,OutH,OutW,O). An element is one chain over the (kh, kw, o) that reach it, outputs outside the
// image entering as zeros. The transposed panels are packed on first use and kept.
func Conv2DBackwardInput(threads int, s Conv, dy []float32, f *Filter, dx []float32) {
	panic("kernel: not yet")
}
