package kernel

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
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

// FuzzLevels compares every function of every level with its portable twin: those of the table over rows of n, and of the exported ones the one that is
// picked, on 1, 2 and 7 workers.
func FuzzLevels(f *testing.F) {
	names := slices.Sorted(maps.Keys(differential))
	for i := range names {
		f.Add([]byte{0, 0, 0x80, 0x7f, 1, 0, 0, 0}, uint64(i), uint8(19), uint8(i))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint64(3), uint8(17), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, n, pick uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		N := int(n) + 1
		a, b, c := patterns(data, r, N), patterns(data, r, N), wide(r, N)
		want := outputs(tables[0], a, b, c, a[0], b[0], c[0])
		for _, tb := range tables[1:] {
			for name, got := range outputs(tb, a, b, c, a[0], b[0], c[0]) {
				equal(t, name, got, want[name])
			}
		}
		values := variants[seed%uint64(len(variants))]
		compareLevels(t, differential[names[int(pick)%len(names)]], seed, func(r *rand.Rand, n int) []float32 {
			x := values(r, n)
			if r.IntN(4) == 0 {
				copy(x, patterns(data, r, min(n, len(data)/4)))
			}
			return x
		})
	})
}
