package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGemmMany: products computed together have the bits of each alone.
func TestGemmMany(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	values := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(r.NormFloat64())
		}
		return out
	}
	for _, level := range Levels() {
		restore := SetLevel(level)
		for _, m := range []int{0, 1, 5, 16, 200} {
			const k = 40
			a := values(max(1, m*k))
			var products []Product
			var want [][]float32
			for i, n := range []int{7, 64, 130, 16} {
				p := Product{B: Pack(values(n*k), k, n, true), C: make([]float32, m*n), Epilogue: Epilogue{Bias: values(n)}}
				if i%2 == 0 {
					p.Epilogue.Residual, p.Epilogue.Act = values(m*n), ActGELU
				}
				w := make([]float32, m*n)
				Gemm(1, m, a, k, p.B, w, n, p.Epilogue)
				products, want = append(products, p), append(want, w)
			}
			for _, threads := range []int{1, 2, 7} {
				for i := range products {
					clear(products[i].C)
				}
				GemmMany(threads, m, a, k, products...)
				for i, p := range products {
					if !slices.Equal(p.C, want[i]) {
						t.Errorf("%s, %d rows, %d threads: product %d differs", level, m, threads, i)
					}
				}
			}
		}
		restore()
	}
}
