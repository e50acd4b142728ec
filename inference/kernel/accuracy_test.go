package kernel

import (
	"flag"
	"math"
	"testing"
)

var sweep = flag.Int("sweep", 16381, "distance between the bit patterns at which elementary functions are measured (251: 2^24 points; 1: all)")

// ulps is the error of got against the float64 value want in units of the last place of float32 at want.
func ulps(got float32, want float64) float64 {
	if math.IsNaN(want) {
		if got != got {
			return 0
		}
		return math.Inf(1)
	}
	w := float32(want)
	if got == w {
		if w-w != 0 {
			return 0
		}
	} else if w-w != 0 || got-got != 0 {
		if math.Abs(want) < 0x1.ffffffp127 || got-got == 0 {
			return math.Inf(1)
		}
		return 0
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func TestElementaryAccuracy(t *testing.T) {
	cases := []struct {
		name  string
		f     func(dst, src []float32)
		exact func(float64) float64
		worst float64
	}{
		{"exp", Exp, math.Exp, 1},
		{"log", Log, math.Log, 1},
		{"erf", Erf, math.Erf, 1},
		{"tanh", Tanh, math.Tanh, 1.4},
		{"sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 2.3},
		{"sin", Sin, math.Sin, 0.501},
		{"cos", Cos, math.Cos, 0.501},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x, y := make([]float32, 0, 4096), make([]float32, 4096)
			worst, at := 0.0, float32(0)
			flush := func() {
				c.f(y[:len(x)], x)
				for i, v := range x {
					if u := ulps(y[i], c.exact(float64(v))); u > worst {
						worst, at = u, v
					}
				}
				x = x[:0]
			}
			for b := 0; b < 1<<32; b += *sweep {
				if x = append(x, math.Float32frombits(uint32(b))); len(x) == cap(x) {
					flush()
				}
			}
			flush()
			t.Logf("worst error %.4f ULP at %v", worst, at)
			if worst > c.worst {
				t.Errorf("worst error %.4f ULP at %v, allowed %v", worst, at, c.worst)
			}
		})
	}
}
