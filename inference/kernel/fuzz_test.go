package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// patterns are n float32 values of any bits, drawn from the input and then at random.
func patterns(data []byte, r *rand.Rand, n int) []float32 {
	x := wide(r, n)
	for i := 0; i < n && 4*i+4 <= len(data); i++ {
		x[i] = math.Float32frombits(uint32(data[4*i]) | uint32(data[4*i+1])<<8 | uint32(data[4*i+2])<<16 | uint32(data[4*i+3])<<24)
	}
	return x
}

// FuzzLevels compares every kernel of every level with its portable twin.
func FuzzLevels(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x7f, 1, 0, 0, 0}, uint64(1), uint8(19), uint8(5), uint8(33))
	f.Add([]byte{}, uint64(2), uint8(64), uint8(12), uint8(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint64(3), uint8(17), uint8(1), uint8(130))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, n, m, k uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		N, M, K := int(n)+1, int(m%32)+1, int(k)+1
		a, b, c := patterns(data, r, N), patterns(data, r, N), wide(r, N)
		want := outputs(tables[0], a, b, c, a[0], b[0], c[0])
		x, w := patterns(data, r, M*K), wide(r, K*N)
		p := Pack(w, K, N, false)
		product := func(tb *table) []float32 {
			defer SetLevel(tb.level)()
			out := make([]float32, M*N)
			Gemm(2, M, x, K, p, out, N, Epilogue{Bias: c})
			return out
		}
		wantProduct := product(tables[0])
		for _, tb := range tables[1:] {
			for name, got := range outputs(tb, a, b, c, a[0], b[0], c[0]) {
				equal(t, name, got, want[name])
			}
			equal(t, "product", product(tb), wantProduct)
		}
	})
}
