package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// All 65536 values of either format: binary16 by its definition, at every level.
func TestWideningIsExact(t *testing.T) {
	src, got := make([]uint16, 1<<16), make([]float32, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	for _, tb := range tables {
		tb.widenF16(got, src)
		for i, v := range got {
			e, m := i>>10&31, float64(i&1023)
			want := math.Ldexp(1+m/1024, e-15)
			switch {
			case e == 0:
				want = m * 0x1p-24
			case e == 31 && m == 0:
				want = math.Inf(1)
			case e == 31:
				want = math.NaN()
			}
			if i>>15 == 1 {
				want = -want
			}
			if w := float32(want); math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
				t.Fatalf("%s: binary16 %04x is %v, want %v", tb.level, i, v, w)
			}
		}
		tb.widenBF16(got, src)
		for i, v := range got {
			if math.Float32bits(v) != uint32(i)<<16 {
				t.Fatalf("%s: bfloat16 %04x is %v", tb.level, i, v)
			}
		}
	}
}

// A product over 16-bit values has the bits of the product over the widened ones.
func TestHalfProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	for _, s := range [][3]int{{1, 5, 3}, {1, 200, 500}, {3, 64, 97}, {17, 70, 401}, {130, 48, 20}} {
		m, n, k := s[0], s[1], s[2]
		for _, format := range []Half{F16, BF16} {
			b := make([]uint16, n*k)
			for i := range b {
				b[i] = uint16(r.Uint32())
				if i%8 != 0 { // mostly numbers of ordinary size
					b[i] = b[i]&0x83ff | uint16(0x3c00-0x400*r.IntN(4))
				}
			}
			for _, transposed := range []bool{false, true} {
				p := PackHalf(format, b, k, n, transposed)
				if transposed {
					q, err := PackHalfFrom(&Store{}, format, k, n, func(lo int, dst []uint16) error { copy(dst, b[lo*k:]); return nil })
					if err != nil || !slices.Equal(q.half, p.half) {
						t.Fatal("packed from rows it is another panel", err)
					}
				}
				a, bias, want := random(r, m*k), random(r, n), make([]float32, m*n)
				ep := Epilogue{Bias: bias, Act: ActSiLU}
				restore := SetLevel(Generic)
				Gemm(1, m, a, k, p.Widened(), want, n, ep)
				restore()
				column, wide := make([]float32, k), make([]float32, k)
				p.Column(column, n-1)
				p.Widened().Column(wide, n-1)
				equal(t, "column", column, wide)
				everywhere(t, func(t *testing.T, threads int) {
					got := make([]float32, m*n)
					Gemm(threads, m, a, k, p, got, n, ep)
					equal(t, fmt.Sprint(s, format, transposed), got, want)
				})
			}
		}
	}
}
