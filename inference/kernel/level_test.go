package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// special holds the values at which elementary functions change their form.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-126, 89, 88.8, 88.7, -87.4, -103.9, -104.1, -110, 1e10, -1e10, 0.927734375, 0.599609375}

// wide mixes ordinary values, all magnitudes and the special ones.
func wide(r *rand.Rand, n int) []float32 {
	x := random(r, n)
	for i := range x {
		switch r.IntN(6) {
		case 0:
			x[i] *= 30
		case 1:
			x[i] = math.Float32frombits(uint32(r.Uint64()))
		case 2:
			x[i] = special[r.IntN(len(special))]
		}
	}
	return x
}

// outputs runs every row kernel of a table.
func outputs(t *table, a, b, c []float32, s, u, v float32) map[string][]float32 {
	out := frozenOutputs(t, a, b, c, s, u, v)
	row := func(name string, f func(dst []float32)) {
		d := make([]float32, len(a))
		f(d)
		out[name] = d
	}
	row("tanhgrad", func(d []float32) { t.tanhgrad(d, a, b) })
	row("sigmoidgrad", func(d []float32) { t.sigmoidgrad(d, a, b) })
	row("erfgrad", func(d []float32) { t.erfgrad(d, a, b) })
	row("larger", func(d []float32) { t.larger(d, a, b) })
	row("log", func(d []float32) { t.log(d, a) })
	row("softmax", func(d []float32) { t.softmax(d, a, s) })
	for rows := 1; rows <= len(a); rows = rows*2 + 1 {
		cols := len(a) / rows
		row(fmt.Sprint("transpose ", rows), func(d []float32) { t.transpose(d, rows, a, cols, rows, cols) })
	}
	return out
}

// frozenOutputs are those that the frozen digest was made of.
func frozenOutputs(t *table, a, b, c []float32, s, u, v float32) map[string][]float32 {
	out := map[string][]float32{}
	row := func(name string, f func(dst []float32)) {
		d := make([]float32, len(a))
		f(d)
		out[name] = d
	}
	row("add", func(d []float32) { t.add(d, a, b) })
	row("sub", func(d []float32) { t.sub(d, a, b) })
	row("mul", func(d []float32) { t.mul(d, a, b) })
	row("div", func(d []float32) { t.div(d, a, b) })
	row("scale", func(d []float32) { t.scale(d, a, s) })
	row("divide", func(d []float32) { t.divide(d, a, s) })
	row("axpy", func(d []float32) { t.axpy(d, a, b, s) })
	row("fma3", func(d []float32) { t.fma3(d, a, b, c) })
	row("relu", func(d []float32) { t.relu(d, a) })
	row("relugrad", func(d []float32) { t.relugrad(d, a, b) })
	row("exp", func(d []float32) { t.exp(d, a, s) })
	row("standard", func(d []float32) { t.standard(d, a, s, u) })
	row("norm", func(d []float32) { t.norm(d, a, b, c, s, u) })
	row("normback", func(d []float32) { t.normback(d, a, b, s, u, v) })
	row("softback", func(d []float32) { t.softback(d, a, b, s, u) })
	for name, f := range map[string]func(dst, a []float32){"erf": t.erf, "tanh": t.tanh, "sigmoid": t.sigmoid, "silu": t.silu, "gelu": t.gelu, "gelutanh": t.gelutanh} {
		row(name, func(d []float32) { f(d, a) })
	}
	for name, f := range map[string]func(dst, a, b []float32){"silugrad": t.silugrad, "gelugrad": t.gelugrad, "gelutanhgrad": t.gelutanhgrad} {
		row(name, func(d []float32) { f(d, a, b) })
	}
	out["sum"] = []float32{t.sum(a)}
	out["dot"] = []float32{t.dot(a, b)}
	out["squares"] = []float32{t.squares(a, s)}
	return out
}

func TestLevelsComputeTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 48, 100, 1000, 20000} {
		for _, make := range []func(*rand.Rand, int) []float32{random, awkward, wide} {
			a, b, c := make(r, n), make(r, n), make(r, n)
			want := outputs(tables[0], a, b, c, a[0], b[0], c[0])
			for _, tb := range tables[1:] {
				for name, got := range outputs(tb, a, b, c, a[0], b[0], c[0]) {
					equal(t, fmt.Sprintf("%s %s n=%d", tb.level, name, n), got, want[name])
				}
				x := random(r, n)
				if got, want := tb.max(x), tables[0].max(x); got != want {
					t.Errorf("%s max n=%d: %v, want %v", tb.level, n, got, want)
				}
			}
		}
	}
}

func TestRowKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const rows, n = 37, 53
	x, dy, gamma, beta := random(r, rows*n), random(r, rows*n), random(r, n), random(r, n)
	type result struct{ soft, softBack, log, norm, normBack []float32 }
	run := func(threads int) result {
		o := result{}
		for _, p := range []*[]float32{&o.soft, &o.softBack, &o.log, &o.norm, &o.normBack} {
			*p = make([]float32, rows*n)
		}
		mean, rstd := make([]float32, rows), make([]float32, rows)
		Softmax(threads, rows, n, o.soft, x, 0.3)
		SoftmaxBackward(threads, rows, n, o.softBack, dy, o.soft, 0.3)
		LogSoftmax(threads, rows, n, o.log, x)
		LayerNorm(threads, rows, n, o.norm, x, gamma, beta, 1e-12, mean, rstd)
		LayerNormBackward(threads, rows, n, o.normBack, dy, x, gamma, mean, rstd)
		return o
	}
	restore := SetLevel(Generic)
	want := run(1)
	restore()
	for i := range rows {
		var sum, logSum float64
		for j := range n {
			sum += float64(want.soft[i*n+j])
			logSum += math.Exp(float64(want.log[i*n+j]))
		}
		if math.Abs(sum-1) > 1e-6 || math.Abs(logSum-1) > 1e-6 {
			t.Fatalf("row %d sums to %v and %v", i, sum, logSum)
		}
	}
	everywhere(t, func(t *testing.T, threads int) {
		got := run(threads)
		equal(t, "softmax", got.soft, want.soft)
		equal(t, "softmax backward", got.softBack, want.softBack)
		equal(t, "log softmax", got.log, want.log)
		equal(t, "layer norm", got.norm, want.norm)
		equal(t, "layer norm backward", got.normBack, want.normBack)
	})
}

func TestMaskedPositionsContributeNothing(t *testing.T) {
	x := []float32{1, 2, 3, negInf, negInf}
	y, z := make([]float32, 5), make([]float32, 3)
	Softmax(1, 1, 5, y, x, 1)
	Softmax(1, 1, 3, z, []float32{1, 2, 3}, 1)
	if y[3] != 0 || y[4] != 0 {
		t.Fatalf("masked positions got %v", y)
	}
	equal(t, "behind the mask", y[:3], z)
}

func TestForcedLevel(t *testing.T) {
	for _, l := range Levels() {
		if tb, err := choose(string(l)); err != nil || tb.level != l {
			t.Errorf("%s: got %v, %v", l, tb.level, err)
		}
	}
	best := tables[len(tables)-1]
	if tb, err := choose(""); err != nil || tb != best {
		t.Errorf("without a wish: got %v, %v", tb.level, err)
	}
	wrong := []string{"sse", "AVX2", "generic "}
	for _, l := range []Level{AVX2, AVX512, NEON} {
		if !slices.Contains(Levels(), l) {
			wrong = append(wrong, string(l))
		}
	}
	for _, want := range wrong {
		if tb, err := choose(want); err == nil || tb != best {
			t.Errorf("%q was accepted as %s", want, tb.level)
		}
	}
}
