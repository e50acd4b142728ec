package kernel

import (
	"flag"
	"fmt"
	"math"
	"testing"
)

var sweep = flag.Int("sweep", 16381, "distance between the bit patterns at which elementary functions are measured (251: 2^24 points; 1: all)")

// accuracy is one stated bound: the worst error of f where from <= x (or x is NaN), in units of the last place of the result, or of x itself.
type accuracy struct {
	name  string
	f     func(dst, src []float32)
	exact func(float64) float64
	from  float32
	ofX   bool
	worst float64
}

// The exact values are float64 formulas without cancellation, whose own error is below 2^-24 of the unit that is measured in
// (TestReferencesAreExactEnough). The figures are those that the functions state.
var accuracies = []accuracy{
	{name: "exp", f: Exp, exact: math.Exp, worst: 0.84},
	{name: "log", f: Log, exact: math.Log, worst: 0.85},
	{name: "erf", f: Erf, exact: math.Erf, worst: 0.98},
	{name: "tanh", f: Tanh, exact: math.Tanh, worst: 1.35},
	{name: "sigmoid", f: Sigmoid, exact: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, worst: 2.3},
	{name: "sin", f: Sin, exact: math.Sin, worst: 0.501},
	{name: "cos", f: Cos, exact: math.Cos, worst: 0.501},
	{name: "silu", f: SiLU, exact: siluExact, from: -87, worst: 3.2},
	{name: "silu everywhere", f: SiLU, exact: siluExact, worst: 53},
	{name: "gelu", f: GELU, exact: geluExact, from: -1, worst: 2.4},
	{name: "gelu, of x", f: GELU, exact: geluExact, ofX: true, worst: 1},
	{name: "gelu tanh", f: GELUTanh, exact: geluTanhExact, from: -1, worst: 3.3},
	{name: "gelu tanh, of x", f: GELUTanh, exact: geluTanhExact, ofX: true, worst: 1.2},
}

func siluExact(x float64) float64 {
	if math.IsInf(x, -1) {
		return math.NaN() // -Inf times 0, as the portable code has it
	}
	return x / (1 + math.Exp(-x))
}

func geluExact(x float64) float64 {
	if math.IsInf(x, -1) {
		return math.NaN()
	}
	return x / 2 * math.Erfc(-x/math.Sqrt2)
}

func geluTanhExact(x float64) float64 {
	if math.IsInf(x, -1) {
		return math.NaN()
	}
	return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// ulps is the error of got against the float64 value want in units of the last place of float32 at unit.
func ulps(got float32, want, unit float64) float64 {
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
	_, e := math.Frexp(unit)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// measure updates the worst error and where it is.
func (c accuracy) measure(x, y []float32, worst *float64, at *float32) {
	for i, v := range x {
		if c.from != 0 && v < c.from {
			continue
		}
		want := c.exact(float64(v))
		unit := want
		if c.ofX {
			unit = float64(v)
		}
		if u := ulps(y[i], want, unit); u > *worst {
			*worst, *at = u, v
		}
	}
}

// TestElementaryAccuracy checks the stated bounds, and that all levels compute the same bits, over a sweep through all float32 values. make ulp is the long form.
func TestElementaryAccuracy(t *testing.T) {
	for _, c := range accuracies {
		t.Run(c.name, func(t *testing.T) {
			x, y, z := make([]float32, 0, 4096), make([]float32, 4096), make([]float32, 4096)
			worst, at := 0.0, float32(0)
			flush := func() {
				c.f(y[:len(x)], x)
				c.measure(x, y, &worst, &at)
				for _, l := range Levels() {
					restore := SetLevel(l)
					c.f(z[:len(x)], x)
					restore()
					equal(t, fmt.Sprintf("%s, patterns from %08x", l, math.Float32bits(x[0])), z[:len(x)], y[:len(x)])
				}
				x = x[:0]
			}
			for b := 0; b < 1<<32; b += *sweep {
				if x = append(x, math.Float32frombits(uint32(b))); len(x) == cap(x) {
					flush()
				}
			}
			if len(x) > 0 {
				flush()
			}
			t.Logf("worst error %.4f ULP at %v", worst, at)
			if worst > c.worst {
				t.Errorf("worst error %.4f ULP at %v, stated %v", worst, at, c.worst)
			}
		})
	}
}
