package metric

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Draw is a seeded generator whose results are fixed for ever: PCG-DXSM from math/rand/v2 gives the bits, and the
// reductions to a range are written here, because those of the standard library may change.
type Draw struct{ pcg *rand.PCG }

func NewDraw(seed uint64, stream string) Draw {
	h := uint64(14695981039346656037) // FNV-1a keeps the streams of different figures apart
	for i := range len(stream) {
		h = (h ^ uint64(stream[i])) * 1099511628211
	}
	return Draw{rand.NewPCG(seed, h)}
}

// Below is uniform in [0,n) up to a bias of n/2^64.
func (d Draw) Below(n int) int {
	hi, _ := bits.Mul64(d.pcg.Uint64(), uint64(n))
	return int(hi)
}

// Permutation is a random order of 0..n-1 (Fisher-Yates).
func (d Draw) Permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		k := d.Below(i + 1)
		p[i], p[k] = p[k], p[i]
	}
	return p
}

// Uniform is uniform in [0,1), a multiple of 2^-53.
func (d Draw) Uniform() float64 { return float64(d.pcg.Uint64()>>11) / (1 << 53) }

// Normal is a standard normal value (Box-Muller), rounded to a multiple of 2^-24 so that platforms whose logarithm
// or cosine differ in the last place agree.
func (d Draw) Normal() float64 {
	u, v := 1-d.Uniform(), d.Uniform()
	return math.Round(math.Sqrt(-2*math.Log(u))*math.Cos(2*math.Pi*v)*(1<<24)) / (1 << 24)
}

// resamples is the number of bootstrap draws.
const resamples = 1000

// bootstrap gives the 95 % percentile interval of the mean of values.
func bootstrap(values []float64, d Draw) (low, high float64) {
	if len(values) == 0 {
		return 0, 0
	}
	means := make([]float64, resamples)
	for i := range means {
		s := 0.0
		for range values {
			s += values[d.Below(len(values))]
		}
		means[i] = s / float64(len(values))
	}
	slices.Sort(means)
	return means[resamples*25/1000], means[resamples*975/1000-1]
}

// Interval is the 95 % percentile interval of the mean of values over bootstrap draws; 0, 0 of nothing.
func Interval(values []float64, d Draw) (low, high float64) { return bootstrap(values, d) }

// Mean is the arithmetic mean, 0 of nothing.
func Mean(values []float64) float64 { return mean(values) }

func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := 0.0
	for _, v := range values {
		s += v
	}
	return s / float64(len(values))
}

// share is (1 + number of draws at least as good) / (1 + draws), nil without draws.
func share(asGood, draws int) *float64 {
	if draws == 0 {
		return nil
	}
	p := float64(1+asGood) / float64(1+draws)
	return &p
}
