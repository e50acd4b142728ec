package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAttendIsMatMulSoftmaxMatMul: attention over pages gives the bits of the same steps over whole matrices, at every level, whatever is masked.
func TestAttendIsMatMulSoftmaxMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(r.NormFloat64())
		}
		return out
	}
	for _, c := range []struct{ heads, width, tokens, rows, window int }{{1, 8, 3, 1, 0}, {2, 10, 70, 5, 0}, {1, 20, 150, 40, 0}, {3, 64, 130, 2, 33}, {1, 400, 66, 3, 7}} {
		keys, vals := values(c.heads*c.tokens*c.width), values(c.heads*c.tokens*c.width) // (T,H,W)
		q := values(c.rows * c.width)
		var pages []*KVPage
		for i := range c.tokens {
			if i%PageTokens == 0 {
				pages = append(pages, NewKVPage(c.heads, c.width))
			}
			d := c.heads * c.width
			pages[len(pages)-1].Put(i%PageTokens, keys[i*d:(i+1)*d], vals[i*d:(i+1)*d])
		}
		pages[len(pages)-1] = pages[len(pages)-1].Clone()
		seen := make([]Keys, c.rows)
		for i := range seen {
			seen[i].Hi = c.tokens - c.rows + i + 1
			if c.window > 0 {
				seen[i].Lo = max(0, seen[i].Hi-c.window)
			}
		}
		for h := range c.heads {
			kh, vh := make([]float32, c.tokens*c.width), make([]float32, c.tokens*c.width)
			for i := range c.tokens {
				copy(kh[i*c.width:(i+1)*c.width], keys[(i*c.heads+h)*c.width:])
				copy(vh[i*c.width:(i+1)*c.width], vals[(i*c.heads+h)*c.width:])
			}
			scores, want := make([]float32, c.rows*c.tokens), make([]float32, c.rows*c.width)
			MatMul(1, 1, c.rows, c.tokens, c.width, q, kh, scores, false, true)
			for i, k := range seen {
				row := scores[i*c.tokens : (i+1)*c.tokens]
				SoftmaxRange(row, row, k.Lo, k.Hi, 0.3)
			}
			MatMul(1, 1, c.rows, c.width, c.tokens, scores, vh, want, false, false)
			for _, level := range Levels() {
				restore := SetLevel(level)
				got := make([]float32, c.rows*c.width)
				Attend(pages, h, q, c.width, seen, 0.3, nil, got, c.width)
				restore()
				if !slices.Equal(got, want) {
					t.Errorf("%+v, head %d, %s: other bits", c, h, level)
				}
			}
		}
	}
}

// TestSoftmaxRangeKeepsLanes: what is masked in front of or behind a row does not change its bits.
func TestSoftmaxRangeKeepsLanes(t *testing.T) {
	x := make([]float32, 50)
	for i := range x {
		x[i] = float32(math.Sin(float64(i * i)))
	}
	whole := make([]float32, 37)
	Softmax(1, 1, 37, whole, x[:37], 0.7)
	masked := make([]float32, 50)
	SoftmaxRange(masked, x, 0, 37, 0.7)
	if !slices.Equal(masked[:37], whole) || slices.ContainsFunc(masked[37:], func(v float32) bool { return v != 0 }) {
		t.Error("a masked tail shows in the bits")
	}
	far, near := make([]float32, 50), make([]float32, 18)
	SoftmaxRange(far, x, 37, 50, 0.7)
	SoftmaxRange(near, x[32:], 5, 18, 0.7)
	if !slices.Equal(far[32:], near) {
		t.Error("a masked front shows in the bits")
	}
}

// TestPowers compares with package math, which is good to a few units of the last place.
func TestPowers(t *testing.T) {
	for _, base := range []float64{10000, 500, 1e6, 2} {
		for _, n := range []int{1, 3, 32, 63} {
			for i, got := range Powers(base, n, n+1) {
				if want := math.Pow(base, -float64(i)/float64(n)); math.Abs(got-want) > 1e-14*want {
					t.Errorf("%g^(-%d/%d) = %g, expected %g", base, i, n, got, want)
				}
			}
		}
	}
	if p := Powers(16, 4, 5); !slices.Equal(p, []float64{1, 0.5, 0.25, 0.125, 0.0625}) {
		t.Errorf("roots of 16: %v", p)
	}
	f := Powers(10000, 32, 32)
	sin, cos := make([]float32, 32), make([]float32, 32)
	for _, position := range []int{0, 1, 777, 131071} {
		SinCos(sin, cos, position, f)
		for i := range f {
			s, c := math.Sincos(float64(position) * f[i])
			if math.Abs(float64(sin[i])-s) > 3e-7 || math.Abs(float64(cos[i])-c) > 3e-7 {
				t.Errorf("position %d, frequency %d: %g, %g", position, i, sin[i], cos[i])
			}
		}
	}
}
