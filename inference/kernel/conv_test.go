package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

var convCases = []Conv{
	{N: 2, H: 5, W: 6, C: 3, O: 4, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
	{N: 1, H: 9, W: 8, C: 5, O: 70, KH: 3, KW: 2, StrideH: 2, StrideW: 3, PadTop: 1, PadRight: 1},
	{N: 2, H: 7, W: 7, C: 6, O: 17, KH: 1, KW: 1},
	{N: 1, H: 7, W: 7, C: 6, O: 17, KH: 1, KW: 1, StrideH: 2, StrideW: 2},
	{N: 1, H: 12, W: 11, C: 3, O: 8, KH: 7, KW: 7, StrideH: 2, StrideW: 2, PadTop: 3, PadLeft: 3, PadBottom: 3, PadRight: 3},
	{N: 1, H: 11, W: 9, C: 4, O: 6, KH: 3, KW: 3, DilationH: 2, DilationW: 3, PadTop: 2, PadLeft: 3, PadBottom: 2, PadRight: 3},
	{N: 2, H: 6, W: 5, C: 8, O: 12, KH: 3, KW: 3, Groups: 4, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
	{N: 2, H: 6, W: 5, C: 20, O: 20, KH: 3, KW: 3, Groups: 20, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
	{N: 1, H: 8, W: 8, C: 150, O: 33, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
}

// convPlain is the definition, one element at a time.
func convPlain(s Conv, x, w []float32) []float32 {
	s = s.normal()
	oh, ow, ig, og := s.OutH(), s.OutW(), s.C/s.Groups, s.O/s.Groups
	var y []float32
	for p := range s.N * oh * ow {
		for o := range s.O {
			var acc float32
			for kh := range s.KH {
				for kw := range s.KW {
					h, v := p/ow%oh*s.StrideH-s.PadTop+kh*s.DilationH, p%ow*s.StrideW-s.PadLeft+kw*s.DilationW
					if h < 0 || h >= s.H || v < 0 || v >= s.W {
						continue
					}
					for i := range ig {
						acc = FMA(x[((p/(oh*ow)*s.H+h)*s.W+v)*s.C+o/og*ig+i], w[((o*ig+i)*s.KH+kh)*s.KW+kw], acc)
					}
				}
			}
			y = append(y, acc)
		}
	}
	return y
}

// convBackPlain walks the definition the other way; the order of a chain is (kh, kw, o).
func convBackPlain(s Conv, dy, w []float32) []float32 {
	s = s.normal()
	oh, ow, ig, og := s.OutH(), s.OutW(), s.C/s.Groups, s.O/s.Groups
	var dx []float32
	for p := range s.N * s.H * s.W {
		for c := range s.C {
			var acc float32
			for kh := range s.KH {
				for kw := range s.KW {
					h, v := p/s.W%s.H+s.PadTop-kh*s.DilationH, p%s.W+s.PadLeft-kw*s.DilationW
					if h < 0 || v < 0 || h%s.StrideH != 0 || v%s.StrideW != 0 || h/s.StrideH >= oh || v/s.StrideW >= ow {
						continue
					}
					for o := range og {
						g := c/ig*og + o
						acc = FMA(dy[((p/(s.H*s.W)*oh+h/s.StrideH)*ow+v/s.StrideW)*s.O+g], w[((g*ig+c%ig)*s.KH+kh)*s.KW+kw], acc)
					}
				}
			}
			dx = append(dx, acc)
		}
	}
	return dx
}

func TestConv2D(t *testing.T) {
	for i, s := range convCases {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		g := max(1, s.Groups)
		x, w, bias := random(r, s.N*s.H*s.W*s.C), random(r, s.O*s.C/g*s.KH*s.KW), random(r, s.O)
		res := random(r, s.N*s.OutH()*s.OutW()*s.O)
		want := convPlain(s, x, w)
		dy := random(r, len(want))
		wantBack := convBackPlain(s, dy, w)
		withAll := append([]float32(nil), want...)
		for i := range withAll {
			withAll[i] = max(withAll[i]+bias[i%s.O]+res[i], 0)
		}
		f := PackConv(w, s.O, s.C/g, s.KH, s.KW, g)
		everywhere(t, func(t *testing.T, threads int) {
			y := random(r, len(want))
			Conv2D(threads, s, x, f, y, Epilogue{})
			equal(t, fmt.Sprint("forward ", i), y, want)
			Conv2D(threads, s, x, f, y, Epilogue{Bias: bias, Residual: res, Act: ActReLU})
			equal(t, fmt.Sprint("epilogue ", i), y, withAll)
			dx := random(r, len(x))
			Conv2DBackwardInput(threads, s, dy, f, dx)
			equal(t, fmt.Sprint("backward ", i), dx, wantBack)
		})
	}
}

// The reverse of a linear map is its transpose: ⟨Ax, u⟩ = ⟨x, Aᵀu⟩.
func TestPoolingBackwardIsTheTranspose(t *testing.T) {
	dot := func(a, b []float32) (s float64) {
		for i := range a {
			s += float64(a[i]) * float64(b[i])
		}
		return
	}
	cases := []Pool{
		{N: 2, H: 6, W: 7, C: 3, KH: 2, KW: 2, StrideH: 2, StrideW: 2},
		{N: 1, H: 7, W: 8, C: 5, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
		{N: 1, H: 7, W: 8, C: 2, KH: 3, KW: 3, StrideH: 2, StrideW: 2, Ceil: true, CountPad: true, PadTop: 1, PadBottom: 1},
	}
	for i, p := range cases {
		r := rand.New(rand.NewPCG(9, uint64(i)))
		nx, ny := p.N*p.H*p.W*p.C, p.N*p.OutH()*p.OutW()*p.C
		x, u, y, dx := random(r, nx), random(r, ny), make([]float32, ny), make([]float32, nx)
		AvgPool2D(2, p, x, y)
		AvgPool2DBackward(2, p, u, dx)
		if a, b := dot(y, u), dot(x, dx); a-b > 1e-4 || b-a > 1e-4 {
			t.Errorf("average %d: %v and %v", i, a, b)
		}
		index := make([]int32, ny)
		MaxPool2D(2, p, x, y, index)
		MaxPool2DBackward(2, p, u, index, dx)
		if a, b := dot(y, u), dot(x, dx); a-b > 1e-4 || b-a > 1e-4 {
			t.Errorf("maximum %d: %v and %v", i, a, b)
		}
	}
	x, y, dx := []float32{1, 10, 2, 20, 3, 60}, make([]float32, 2), make([]float32, 6)
	GlobalAvgPool(1, 1, 3, 2, x, y)
	GlobalAvgPoolBackward(1, 1, 3, 2, []float32{3, 6}, dx)
	equal(t, "global average", y, []float32{2, 30})
	equal(t, "its reverse", dx, []float32{1, 2, 1, 2, 1, 2})
}

func TestMaxPoolTakesTheFirstOfEquals(t *testing.T) {
	p := Pool{N: 1, H: 2, W: 2, C: 1, KH: 2, KW: 2}
	y, index := make([]float32, 1), make([]int32, 1)
	MaxPool2D(1, p, []float32{1, 5, 5, 5}, y, index)
	if y[0] != 5 || index[0] != 1 {
		t.Fatalf("maximum %v at %d, want 5 at 1", y[0], index[0])
	}
}

// Positions asked for or not, the values are the same, NaN and zeros of either sign included.
func TestMaxPoolWithAndWithoutPositions(t *testing.T) {
	p := Pool{N: 2, H: 7, W: 9, C: 21, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	n := p.N * p.OutH() * p.OutW() * p.C
	x, want, index := wide(rand.New(rand.NewPCG(61, 62)), p.N*p.H*p.W*p.C), make([]float32, n), make([]int32, n)
	MaxPool2D(1, p, x, want, index)
	everywhere(t, func(t *testing.T, threads int) {
		got := make([]float32, n)
		MaxPool2D(threads, p, x, got, nil)
		equal(t, "without positions", got, want)
	})
}

// With heavy weights threads divide the panels block by block of pixels; the bits are those of the definition.
func TestConvolutionSharedByThreads(t *testing.T) {
	defer func(h int) { heavy = h }(heavy)
	heavy = 1
	s := Conv{N: 2, H: 12, W: 11, C: 6, O: 64, KH: 3, KW: 3, Groups: 2, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	r := rand.New(rand.NewPCG(63, 64))
	x, w, bias := random(r, s.N*s.H*s.W*s.C), random(r, s.O*s.C/2*9), random(r, s.O)
	want := convPlain(s, x, w)
	for i := range want {
		want[i] = max(want[i]+bias[i%s.O], 0)
	}
	f := PackConv(w, s.O, s.C/2, 3, 3, 2)
	everywhere(t, func(t *testing.T, threads int) {
		y := random(r, len(want))
		Conv2D(threads, s, x, f, y, Epilogue{Bias: bias, Act: ActReLU})
		equal(t, "shared", y, want)
	})
}
