package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// awkward mixes values that stress rounding: zeros, subnormals, huge and tiny ones, short mantissas.
func awkward(r *rand.Rand, n int) []float32 {
	x := random(r, n)
	for i := range x {
		switch r.IntN(8) {
		case 0:
			x[i] = 0
		case 1:
			x[i] = float32(r.IntN(17) - 8)
		case 2:
			x[i] *= 1e-22
		case 3:
			x[i] = math.Float32frombits(math.Float32bits(x[i]) &^ 0xffff)
		case 4:
			x[i] *= 1e-38
		}
	}
	return x
}

func equal(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d is %v (%08x), want %v (%08x)", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// everywhere runs f on each level and several thread counts.
func everywhere(t *testing.T, f func(t *testing.T, threads int)) {
	for _, l := range Levels() {
		for _, threads := range []int{1, 2, 7} {
			t.Run(fmt.Sprintf("%s/%d", l, threads), func(t *testing.T) {
				defer SetLevel(l)()
				f(t, threads)
			})
		}
	}
}

func TestFMAIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	bits := func() float32 {
		switch r.IntN(4) {
		case 0:
			return float32(r.NormFloat64())
		case 1: // short mantissas make ties
			return math.Float32frombits(uint32(r.Uint64()) & 0xfff80000)
		default:
			return math.Float32frombits(uint32(r.Uint64()))
		}
	}
	exact := func(x, y, z float32) float32 {
		p := new(big.Float).SetPrec(600).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
		f, _ := p.Add(p, big.NewFloat(float64(z))).Float32()
		return f
	}
	for range 300000 {
		x, y, z := bits(), bits(), bits()
		if r.IntN(2) == 0 { // near a tie: z is a product away from a half step
			z = float32(math.Ldexp(float64(x*y), r.IntN(60)-30))
		}
		if s := float64(x) * float64(y) * float64(z); s-s != 0 || x*y-x*y != 0 {
			continue
		}
		if got, want := FMA(x, y, z), exact(x, y, z); got != want {
			t.Fatalf("FMA(%x, %x, %x) = %x, want %x", x, y, z, got, want)
		}
	}
	inf := float32(math.Inf(1))
	if FMA(inf, 2, 1) != inf || !math.IsNaN(float64(FMA(inf, 1, -inf))) || FMA(math.MaxFloat32, 2, 0) != inf {
		t.Fatal("infinities do not pass as IEEE 754 says")
	}
}

// ties are operands with few digits and spread exponents, so that sums fall between two float32 values often.
func ties(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Ldexp(float64(r.IntN(15)-7), r.IntN(24)-12))
	}
	return x
}

// chain is the contract of a GEMM element in its plainest form.
func chain(m, n, k int, a func(i, k int) float32, b func(k, j int) float32) []float32 {
	c := make([]float32, m*n)
	for i := range m {
		for j := range n {
			var acc float32
			for kk := range k {
				acc = FMA(a(i, kk), b(kk, j), acc)
			}
			c[i*n+j] = acc
		}
	}
	return c
}

func TestGemmIsOneChain(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {1, 64, 300}, {2, 17, 5}, {3, 100, 33}, {4, 16, 385}, {5, 130, 64}, {6, 64, 64}, {7, 65, 1}, {13, 31, 770}, {97, 80, 40}, {16, 384, 100}, {25, 6, 9}}
	for _, s := range shapes {
		m, n, k := s[0], s[1], s[2]
		for name, make := range map[string]func(*rand.Rand, int) []float32{"random": random, "awkward": awkward, "ties": ties} {
			r := rand.New(rand.NewPCG(uint64(m), uint64(n*k)))
			lda, ldc := k+r.IntN(3), n+r.IntN(3)
			a, b := make(r, m*lda), make(r, k*n)
			want := chain(m, n, k, func(i, kk int) float32 { return a[i*lda+kk] }, func(kk, j int) float32 { return b[kk*n+j] })
			bt := append([]float32(nil), b...)
			transposeGeneric(bt, k, b, n, k, n)
			everywhere(t, func(t *testing.T, threads int) {
				for _, p := range []*Panel{Pack(b, k, n, false), Pack(bt, k, n, true)} {
					c := random(r, m*ldc)
					Gemm(threads, m, a, lda, p, c, ldc, Epilogue{})
					for i := range m {
						equal(t, fmt.Sprintf("%s %v row %d", name, s, i), c[i*ldc:i*ldc+n], want[i*n:(i+1)*n])
					}
				}
			})
		}
	}
}

func TestEpilogueOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const m, n, k = 11, 37, 29
	a, b, bias, res := random(r, m*k), random(r, k*n), random(r, n), random(r, m*n)
	base := chain(m, n, k, func(i, kk int) float32 { return a[i*k+kk] }, func(kk, j int) float32 { return b[kk*n+j] })
	for act, f := range map[Act]func(float32) float32{ActNone: nil, ActGELU: gelu1, ActGELUTanh: geluTanh1, ActSiLU: silu1, ActTanh: tanh1,
		ActReLU: func(x float32) float32 { return max(x, 0) }} {
		want := append([]float32(nil), base...)
		for i := range want {
			want[i] = (want[i] + bias[i%n]) + res[i]
			if f != nil {
				want[i] = f(want[i])
			}
		}
		everywhere(t, func(t *testing.T, threads int) {
			c := make([]float32, m*n)
			Gemm(threads, m, a, k, Pack(b, k, n, false), c, n, Epilogue{Bias: bias, Residual: res, Act: act})
			equal(t, fmt.Sprint("activation ", act), c, want)
		})
	}
}

func TestMatMulBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const batch, m, n, k = 5, 9, 23, 14
	a, b := random(r, batch*m*k), random(r, batch*k*n)
	var want []float32
	for i := range batch {
		want = append(want, chain(m, n, k, func(r, kk int) float32 { return a[i*m*k+r*k+kk] }, func(kk, j int) float32 { return b[i*k*n+kk*n+j] })...)
	}
	at, bt := make([]float32, len(a)), make([]float32, len(b))
	for i := range batch {
		transposeGeneric(at[i*m*k:(i+1)*m*k], m, a[i*m*k:(i+1)*m*k], k, m, k)
		transposeGeneric(bt[i*k*n:(i+1)*k*n], k, b[i*k*n:(i+1)*k*n], n, k, n)
	}
	everywhere(t, func(t *testing.T, threads int) {
		c := make([]float32, batch*m*n)
		for _, transA := range []bool{false, true} {
			for _, transB := range []bool{false, true} {
				x, y := a, b
				if transA {
					x = at
				}
				if transB {
					y = bt
				}
				clear(c)
				MatMul(threads, batch, m, n, k, x, y, c, transA, transB)
				equal(t, fmt.Sprint(transA, transB), c, want)
			}
		}
	})
}
