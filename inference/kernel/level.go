// Package kernel holds the arithmetic of the engine: matrix products, convolutions, pooling, reductions, normalisations and elementary functions on float32.
//
// Every kernel computes the same bits on every CPU level, for every thread count and for every way the work is split (the numeric contract):
//   - an element of a matrix product is one chain of single-rounded fused multiply-adds over k = 0..K-1 starting at +0, then bias, residual, activation;
//   - a reduction over a row uses 16 virtual lanes (lane j takes elements j, j+16, ...), folded 8, 4, 2, 1;
//   - elementary functions are fixed lists of fused multiply-adds.
//
// A table (table.go) holds what a level computes in assembly; gen writes the assembly. A product is cut into units of rows by panels (gemm_grid.go), a unit
// into tiles of at most six rows (amd64) that read A by its stride, B from panels or where it lies, and end their chains with bias, residual and ReLU in
// registers; blocks of depth k keep B in the first-level cache while the next panel is on its way. On AVX2 products were seen at 90 to 98 % of the peak of fused
// multiply-adds for k of 128 and more, at 85 % for k = 64 (go test -bench Gemm measures both in one run). Convolutions gather their operands for up to 96 pixels
// at a time (gather.go), never a whole column image. Weights in 16, 8 or 4 bits (half.go, code.go) stay so: a row times coded panels widens them in registers,
// more rows a block of them in the first-level cache. Units go to the caller and to persistent helpers (pool.go).
//
// The payload of a NaN is the one thing not promised. Shapes that do not fit panic with constant text; the engine recovers them at its edge.
package kernel

import (
	"fmt"
	"os"
	"sync/atomic"
)

// Level names a set of instructions that kernels may use.
type Level string

// The levels, slowest first. Generic is portable Go and exists everywhere.
const (
	Generic Level = "generic"
	AVX2    Level = "avx2"
	AVX512  Level = "avx512"
	NEON    Level = "neon"
)

var (
	current    atomic.Pointer[table]
	levelError error
)

// Current is the level that kernels run at: the best this machine has, unless VITRINE_CPU forces another.
func Current() Level { return current.Load().level }

// Levels lists the levels this machine and build have, slowest first.
func Levels() []Level {
	out := make([]Level, len(tables))
	for i, t := range tables {
		out[i] = t.level
	}
	return out
}

// LevelError says why the level forced by VITRINE_CPU cannot be used, or nil. Kernels then run at the best level;
// a command must refuse to go on, because the caller asked for something else.
func LevelError() error { return levelError }

// SetLevel switches the level for a test and returns the way back. It panics on a level the machine lacks.
// It must not be called while kernels run.
func SetLevel(l Level) (restore func()) {
	for _, t := range tables {
		if t.level == l {
			old := current.Swap(t)
			return func() { current.Store(old) }
		}
	}
	panic("kernel: level not available on this machine")
}

func init() {
	t, err := choose(os.Getenv("VITRINE_CPU"))
	current.Store(t)
	levelError = err
}

// choose is the best table, or the one that is asked for; where that cannot be, the best and the reason.
func choose(want string) (*table, error) {
	best := tables[len(tables)-1]
	if want == "" {
		return best, nil
	}
	for _, t := range tables {
		if string(t.level) == want {
			return t, nil
		}
	}
	switch want {
	case string(AVX512), string(AVX2), string(NEON):
		return best, fmt.Errorf("kernel: VITRINE_CPU=%s: this machine or build has no such level; use one of %v", want, Levels())
	}
	return best, fmt.Errorf("kernel: VITRINE_CPU=%q: unknown level; use one of %v", want, Levels())
}
