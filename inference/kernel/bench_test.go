package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// lowest runs f b.N times on one thread and returns the least processor time of a run; what other programs do to the machine is in the others.
func lowest(b *testing.B, f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := time.Hour
	for range b.N {
		start := cpuTime()
		f()
		best = min(best, cpuTime()-start)
	}
	return best
}

// Products against the peak of the same run: a loop of multiply-adds on registers.
func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, l := range Levels() {
		for _, s := range [][3]int{{16, 384, 384}, {16, 384, 1536}, {16, 1536, 384}, {128, 768, 768}, {128, 3072, 768}, {128, 768, 3072}, {512, 768, 3072}, {1024, 3072, 768}, {3136, 64, 576},
			{3136, 256, 64}, {784, 512, 128}, {196, 1024, 256}, {49, 2048, 512}, {49, 512, 2048}, {1, 768, 768}, {2, 768, 3072}, {3, 768, 3072}, {4, 768, 3072}, {7, 768, 768}, {13, 768, 768}, {1, 50257, 768}} {
			m, n, k := s[0], s[1], s[2]
			if l == Generic && m*n*k > 1<<27 {
				continue
			}
			a, p, c := random(r, m*k), Pack(random(r, k*n), k, n, false), make([]float32, m*n)
			b.Run(fmt.Sprintf("%s/%dx%dx%d", l, m, n, k), func(b *testing.B) {
				defer SetLevel(l)()
				peak := 0.0
				best := lowest(b, func() {
					if l != Generic && peak == 0 {
						peak = peakFlops(l)
					}
					Gemm(1, m, a, k, p, c, n, Epilogue{})
				})
				flops := 2 * float64(m*n*k) / best.Seconds()
				b.ReportMetric(flops/1e9, "best-GFLOP/s")
				if peak = max(peak, peakFlops(l)); l != Generic {
					b.ReportMetric(100*flops/peak, "%peak")
				}
			})
		}
	}
}

// The cost of handing units to a helper that may be spinning or parked.
func BenchmarkParallel(b *testing.B) {
	for range b.N {
		Parallel(2, 2, func(int) {})
	}
}

func BenchmarkRow(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y := random(r, 4096), random(r, 4096)
	d := make([]float32, 4096)
	for _, l := range Levels() {
		for name, f := range map[string]func(){
			"exp": func() { Exp(d, x) }, "gelu": func() { GELU(d, x) }, "tanh": func() { Tanh(d, x) }, "gelugrad": func() { GELUGrad(d, x, y) },
			"softmax": func() { Softmax(1, 32, 128, d, x, 0.1) }, "layernorm": func() { LayerNorm(1, 8, 512, d, x, y[:512], y[512:1024], 1e-5, nil, nil) },
			"add": func() { Add(d, x, y) }, "sum": func() { Sum(x) },
		} {
			b.Run(fmt.Sprintf("%s/%s", l, name), func(b *testing.B) {
				defer SetLevel(l)()
				const calls = 8
				best := lowest(b, func() {
					for range calls {
						f()
					}
				})
				b.ReportMetric(float64(best.Nanoseconds())/calls/4096, "best-ns/element")
			})
		}
	}
}

func BenchmarkPack(b *testing.B) {
	const k, n = 768, 3072
	w, into := random(rand.New(rand.NewPCG(1, 1)), k*n), make([]float32, k*n)
	for _, transposed := range []bool{false, true} {
		b.Run(fmt.Sprint("transposed=", transposed), func(b *testing.B) {
			best := lowest(b, func() { current.Load().packColumns(into, w, k, n, 0, n, transposed) })
			b.ReportMetric(float64(best.Nanoseconds())/float64(k*n), "best-ns/element")
		})
	}
}

func BenchmarkConv(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range []Conv{
		{N: 1, H: 224, W: 224, C: 3, O: 64, KH: 7, KW: 7, StrideH: 2, StrideW: 2, PadTop: 3, PadLeft: 3, PadBottom: 3, PadRight: 3},
		{N: 1, H: 56, W: 56, C: 64, O: 64, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
		{N: 1, H: 14, W: 14, C: 256, O: 256, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
		{N: 1, H: 7, W: 7, C: 512, O: 512, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
	} {
		f := PackConv(random(r, s.O*s.C*s.KH*s.KW), s.O, s.C, s.KH, s.KW, 1)
		x, y := random(r, s.N*s.H*s.W*s.C), make([]float32, s.N*s.OutH()*s.OutW()*s.O)
		flop := 2 * float64(len(y)*s.C*s.KH*s.KW)
		for name, pass := range map[string]func(){"forward": func() { Conv2D(1, s, x, f, y, Epilogue{Act: ActReLU}) }, "backward": func() { Conv2DBackwardInput(1, s, y, f, x) }} {
			b.Run(fmt.Sprintf("%s/%dx%d-%d-%d-k%d", name, s.H, s.W, s.C, s.O, s.KH), func(b *testing.B) {
				best := lowest(b, pass)
				b.ReportMetric(flop/best.Seconds()/1e9, "best-GFLOP/s")
			})
		}
	}
}

func BenchmarkAttention(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, h := range []Heads{{B: 1, H: 12, TQ: 128, TK: 128, D: 64, Scale: 0.125}, {B: 1, H: 12, TQ: 512, TK: 512, D: 64, Scale: 0.125}, {B: 1, H: 12, TQ: 16, TK: 16, D: 32, Scale: 0.2}} {
		w := h.H * h.D
		side := func() Batch { return Batch{Data: random(r, h.TQ*w), Inner: h.D, Row: w} }
		q, k, v, out := side(), side(), side(), side()
		b.Run(fmt.Sprintf("%dx%dx%d", h.H, h.TQ, h.D), func(b *testing.B) {
			best := lowest(b, func() { Attention(1, h, q, k, v, out) })
			b.ReportMetric(4*float64(h.H*h.TQ*h.TK*h.D)/best.Seconds()/1e9, "best-GFLOP/s")
			b.ReportMetric(float64(best.Microseconds()), "best-µs")
		})
	}
}
