package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// frozen is the digest of what the kernels compute from fixed inputs. It is the same on every processor and operating system; a change here changes every
// stored explanation, so it needs a new engine version.
const frozen = "a00c26c875142173265ab7e289cd3790a9fa662e6b05f234025e7b44de8e9ffa"

// drawn makes values from integers alone, so that inputs are the same everywhere: most of ordinary size, some of any size.
func drawn(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int32(r.Uint32())>>8) * 0x1p-22
		if r.IntN(16) == 0 {
			x[i] = math.Float32frombits(r.Uint32())
		}
	}
	return x
}

func TestFrozenBits(t *testing.T) {
	everywhere(t, func(t *testing.T, threads int) {
		r := rand.New(rand.NewPCG(41, 42))
		h := sha256.New()
		add := func(x []float32) {
			for _, v := range x {
				b := math.Float32bits(v)
				if v != v {
					b = 0x7fc00000 // the payload of a NaN is not promised
				}
				_ = binary.Write(h, binary.LittleEndian, b)
			}
		}
		for _, n := range []int{5, 16, 100, 1000} {
			a, b, c := drawn(r, n), drawn(r, n), drawn(r, n)
			out := frozenOutputs(current.Load(), a, b, c, 0.5, 0.25, -2)
			names := make([]string, 0, len(out))
			for name := range out {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				add(out[name])
			}
			for _, f := range []func(dst, src []float32){Log, Sin, Cos} {
				f(c, a)
				add(c)
			}
			Softmax(threads, 1, n, c, b, 0.125)
			add(c)
			LayerNorm(threads, 1, n, c, a, b, b, 1e-12, nil, nil)
			add(c)
		}
		small := func(n int) []float32 { // without infinities and NaN, which would hide the rest of a sum
			x := drawn(r, n)
			for i, v := range x {
				if !(abs(v) < 1e3) {
					x[i] = 0x1p-30
				}
			}
			return x
		}
		for _, s := range convCases {
			g := max(1, s.Groups)
			f := PackConv(small(s.O*s.C/g*s.KH*s.KW), s.O, s.C/g, s.KH, s.KW, g)
			x := small(s.N * s.H * s.W * s.C)
			y := make([]float32, s.N*s.OutH()*s.OutW()*s.O)
			Conv2D(threads, s, x, f, y, Epilogue{Act: ActGELU})
			add(y)
			Conv2DBackwardInput(threads, s, slices.Clone(y), f, x)
			add(x)
		}
		const m, n, k = 19, 70, 401
		c := make([]float32, m*n)
		Gemm(threads, m, small(m*k), k, Pack(small(n*k), k, n, true), c, n, Epilogue{Bias: small(n), Residual: small(m * n), Act: ActGELUTanh})
		add(c)
		MatMul(threads, 2, 7, 10, 9, small(126), small(180), c[:140], true, false)
		add(c)
		if got := hex.EncodeToString(h.Sum(nil)); got != frozen {
			t.Errorf("digest %s, want %s", got, frozen)
		}
	})
}
