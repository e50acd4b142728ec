//go:build linux

package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded copies x to memory between two pages that fault: with end set its last element touches the page behind, otherwise its first the page before.
func guarded(t *testing.T, x []float32, end bool) []float32 {
	page := os.Getpagesize()
	size := (4*len(x) + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	for _, p := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(p, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	at := page
	if end {
		at += size - 4*len(x)
	}
	out := unsafe.Slice((*float32)(unsafe.Pointer(&mem[at])), len(x))
	copy(out, x)
	return out
}

// A read or write beyond an operand kills this test.
func TestNoAccessOutsideTheOperands(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for _, end := range []bool{false, true} {
		g := func(n int) []float32 { return guarded(t, random(r, n), end) }
		for _, tb := range tables {
			t.Run(fmt.Sprint(tb.level, end), func(t *testing.T) {
				defer SetLevel(tb.level)()
				for n := 1; n < 50; n++ {
					a, b, c, d := g(n), g(n), g(n), g(n)
					outputs(tb, a, b, c, 1, 2, 3)
					tb.gelu(d, a)
					tb.fma3(d, a, b, c)
					tb.max(a)
				}
				for n := 16; n < 80; n += 16 {
					half := unsafe.Slice((*uint16)(unsafe.Pointer(&g(n / 2)[0])), n)
					tb.widenF16(g(n), half)
					tb.widenBF16(g(n), half)
				}
				for c := range codeNames {
					runs := guarded(t, make([]float32, 3*c.words()), end)
					words := unsafe.Slice((*uint32)(unsafe.Pointer(&runs[0])), len(runs))
					copy(words, randomRuns(r, c, 3))
					tb.widenCoded(c, g(3*RunValues*panelWidth), words)
					if tb.codedRow != nil {
						tb.codedRow(&Panel{K: RunValues, N: 3 * panelWidth, code: c, coded: words}, 0, 3, g(RunValues), g(3*panelWidth))
					}
				}
				for m := 1; m < 14; m++ {
					for _, n := range []int{1, 15, 16, 17, 63, 64, 70} {
						k := 1 + r.IntN(9)
						p := Pack(random(r, k*n), k, n, false)
						p.data = guarded(t, p.data, end)
						Gemm(1, m, g(m*k), k, p, g(m*n), n, Epilogue{Bias: g(n), Residual: g(m * n), Act: ActGELU})
						MatMul(1, 1, m, n, k, g(m*k), g(k*n), g(m*n), n%2 == 0, n%3 == 0)
					}
				}
				for _, s := range convCases {
					f := PackConv(random(r, s.O*s.C/max(1, s.Groups)*s.KH*s.KW), s.O, s.C/max(1, s.Groups), s.KH, s.KW, max(1, s.Groups))
					x, y := g(s.N*s.H*s.W*s.C), g(s.N*s.OutH()*s.OutW()*s.O)
					Conv2D(1, s, x, f, y, Epilogue{Bias: g(s.O)})
					Conv2DBackwardInput(1, s, y, f, x)
				}
			})
		}
	}
}

// Every exported function with each operand against a page that faults.
func TestNoFunctionTouchesMore(t *testing.T) {
	for _, l := range Levels() {
		for _, end := range []bool{false, true} {
			t.Run(fmt.Sprint(l, end), func(t *testing.T) {
				defer SetLevel(l)()
				for _, call := range differential {
					for seed := range uint64(6) {
						d := newTrial(seed, random, 1)
						d.place = func(x []float32) []float32 { return guarded(t, x, end) }
						call(d)
					}
				}
			})
		}
	}
}
