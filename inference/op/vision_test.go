package op

import (
	"math"
	"testing"
)

func init() {
	twins["reshape"] = func(_ any, in []tensor64, _ []int) []float64 { return in[0].data }
	twins["prepend_row"] = func(a any, in []tensor64, shape []int) []float64 {
		n := in[0].shape[1] * in[0].shape[2]
		var out []float64
		for b := range shape[0] {
			out = append(append(out, widen(a.(*FirstRow).Data)...), in[0].data[b*n:(b+1)*n]...)
		}
		return out
	}
	twins["drop_row"] = func(_ any, in []tensor64, shape []int) []float64 {
		n, d := in[0].shape[1]*in[0].shape[2], in[0].shape[2]
		var out []float64
		for b := range shape[0] {
			out = append(out, in[0].data[b*n+d:(b+1)*n]...)
		}
		return out
	}
}

// TestSmoothActs holds ELU and softplus, with their slopes, against float64; results written in place included.
func TestSmoothActs(t *testing.T) {
	exact := map[string][2]func(float64) float64{
		"elu": {func(x float64) float64 {
			if x > 0 {
				return x
			}
			return math.Expm1(x)
		}, func(x float64) float64 { return math.Exp(math.Min(x, 0)) }},
		"softplus": {func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
			func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	}
	var x []float32
	for v := float32(-90); v < 90; v += 0.37 {
		x = append(x, v, v/100)
	}
	for name, f := range exact {
		a, err := FindAct(name)
		if err != nil {
			t.Fatal(err)
		}
		y := append([]float32(nil), x...)
		a.forward(y, y)
		g := make([]float32, len(x))
		for i := range g {
			g[i] = 2
		}
		a.grad(g, g, x)
		for i, v := range x {
			want, slope := f[0](float64(v)), 2*f[1](float64(v))
			if math.Abs(float64(y[i])-want) > 1e-6+1e-6*math.Abs(want) || math.Abs(float64(g[i])-slope) > 1e-6 {
				t.Errorf("%s(%g) = %g with slope %g, want %g and %g", name, v, y[i], g[i], want, slope)
			}
		}
	}
}
