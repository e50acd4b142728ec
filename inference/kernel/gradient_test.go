package kernel

import (
	"math"
	"testing"
)

// The gradient kernels against the derivatives in float64.
func TestGradientKernels(t *testing.T) {
	gelu := func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }
	geluTanh := func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	silu := func(x float64) float64 { return x * sigmoid(x) }
	var x, dy []float32
	for v := -9.0; v <= 9; v += 0.01 {
		x, dy = append(x, float32(v)), append(dy, 2)
	}
	output := func(f func(dst, src []float32)) []float32 { y := make([]float32, len(x)); f(y, x); return y }
	for _, c := range []struct {
		name    string
		f       func(float64) float64
		forward func(dst, src []float32)
		grad    func(dst, dy, x []float32)
		from    []float32
	}{
		{"gelu", gelu, GELU, GELUGrad, x},
		{"gelu tanh", geluTanh, GELUTanh, GELUTanhGrad, x},
		{"silu", silu, SiLU, SiLUGrad, x},
		{"tanh", math.Tanh, Tanh, TanhGrad, output(Tanh)},
		{"sigmoid", sigmoid, Sigmoid, SigmoidGrad, output(Sigmoid)},
		{"erf", math.Erf, Erf, ErfGrad, x},
		{"relu", func(x float64) float64 { return max(x, 0) }, ReLU, ReLUGrad, x},
	} {
		y, dx := output(c.forward), make([]float32, len(x))
		c.grad(dx, dy, c.from)
		for i, v := range x {
			v := float64(v)
			const h = 1e-5
			want := 2 * (c.f(v+h) - c.f(v-h)) / (2 * h)
			if math.Abs(v) < 2*h {
				continue // the corner of relu
			}
			if math.Abs(float64(y[i])-c.f(v)) > 1e-6*max(1, math.Abs(v)) || math.Abs(float64(dx[i])-want) > 4e-6 {
				t.Fatalf("%s at %v: %v and derivative %v, want %v and %v", c.name, v, y[i], dx[i], c.f(v), want)
			}
		}
	}
}

func TestElementwiseDefinitions(t *testing.T) {
	a, b, d := []float32{1, -2, 3}, []float32{4, 5, -6}, make([]float32, 3)
	for name, c := range map[string]struct {
		f    func()
		want []float32
	}{
		"add":       {func() { Add(d, a, b) }, []float32{5, 3, -3}},
		"sub":       {func() { Sub(d, a, b) }, []float32{-3, -7, 9}},
		"mul":       {func() { Mul(d, a, b) }, []float32{4, -10, -18}},
		"div":       {func() { Div(d, b, a) }, []float32{4, -2.5, -2}},
		"scale":     {func() { Scale(d, a, 2) }, []float32{2, -4, 6}},
		"addScaled": {func() { AddScaled(d, a, b, 2) }, []float32{9, 8, -9}},
		"mulAdd":    {func() { MulAdd(d, a, b, a) }, []float32{5, -12, -15}},
		"reduce":    {func() { d[0], d[1], d[2] = Sum(a), Dot(a, b), SumSquares(a) }, []float32{2, -24, 14}},
		"max":       {func() { d[0], d[1], d[2] = Max(a), Max(nil), 0 }, []float32{3, negInf, 0}},
	} {
		c.f()
		equal(t, name, d, c.want)
	}
	if nan := float32(math.NaN()); Max([]float32{1, nan, 2}) == Max([]float32{1, nan, 2}) {
		t.Error("the maximum of a row with NaN is a number")
	}
	for name, f := range map[string]func(){
		"length": func() { Add(d, a, b[:2]) },
		"rows":   func() { Softmax(1, 2, 3, d, a, 1) },
		"gemm":   func() { Gemm(1, 2, a, 3, Pack(b, 3, 1, false), d, 1, Epilogue{}) },
		"conv": func() {
			Conv2D(1, Conv{N: 1, H: 1, W: 1, C: 1, O: 1, KH: 2, KW: 1}, a, PackConv(b[:2], 1, 1, 2, 1, 1), d, Epilogue{})
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: operands that do not fit were accepted", name)
				}
			}()
			f()
		}()
	}
}

func TestTransposed(t *testing.T) {
	b := []float32{1, 2, 3, 4, 5, 6}
	want := Pack(b, 2, 3, false)
	got := Pack(b, 2, 3, false).Transposed().Transposed()
	equal(t, "twice transposed", got.data, want.data)
	equal(t, "transposed", Pack(b, 2, 3, false).Transposed().data, Pack(b, 3, 2, true).data)
	for _, s := range [][2]int{{16, 16}, {17, 40}, {100, 15}, {33, 1}} {
		k, n := s[0], s[1]
		b := make([]float32, k*n)
		for i := range b {
			b[i] = float32(i + 1)
		}
		equal(t, "transposed", Pack(b, k, n, false).Transposed().data, Pack(b, n, k, true).data)
	}
	for _, level := range Levels() {
		restore := SetLevel(level)
		for _, s := range [][2]int{{1, 5}, {3, 20000}, {16, 16}, {70, 300}} {
			rows, cols := s[0], s[1]
			src, dst := make([]float32, rows*cols), make([]float32, rows*cols)
			for i := range src {
				src[i] = float32(i + 1)
			}
			Transpose(2, rows, cols, dst, src)
			for i, v := range dst {
				if v != src[i%rows*cols+i/rows] {
					t.Fatalf("%s, %d×%d: value %d is %g", level, rows, cols, i, v)
				}
			}
		}
		restore()
	}
}
