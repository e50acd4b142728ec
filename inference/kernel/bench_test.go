package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, l := range Levels() {
		for _, s := range [][3]int{{16, 384, 384}, {16, 384, 1536}, {16, 1536, 384}, {128, 768, 768}, {128, 3072, 768}, {128, 768, 3072}, {512, 768, 3072}, {3136, 64, 576}, {1, 768, 768}, {1, 50257, 768}} {
			m, n, k := s[0], s[1], s[2]
			if l == Generic && m*n*k > 1<<27 {
				continue
			}
			a, p, c := random(r, m*k), Pack(random(r, k*n), k, n, false), make([]float32, m*n)
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/t%d", l, m, n, k, threads), func(b *testing.B) {
					defer SetLevel(l)()
					for range b.N {
						Gemm(threads, m, a, k, p, c, n, Epilogue{})
					}
					b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
