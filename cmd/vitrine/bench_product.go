package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"vitrine/inference/kernel"
)

func init() {
	registerBench(benchCase{name: "gemm", run: benchProduct})
}

// maxBenchProduct bounds each operand of a product, in numbers.
const maxBenchProduct = 1 << 28

// benchProduct is one matrix product C (M,N) = A (M,K) times B (K,N), B packed before as weights are, beside the processor's peak
// of fused multiply-adds in the same run: one round of each in turn. M up to 4 is what a generator of texts does.
func benchProduct(ctx context.Context, o *benchOptions) (*benchResult, error) {
	var m, k, n int
	if _, err := fmt.Sscanf(o.shape+" ", "%dx%dx%d ", &m, &k, &n); err != nil || min(m, k, n) < 1 || max(m, k, n) > 1<<20 || max(m*k, k*n, m*n) > maxBenchProduct {
		return nil, usagef("--shape %q is not rows x inner x columns, such as 128x768x3072", o.shape)
	}
	begin := time.Now()
	a, b, c := ramp(m*k), ramp(k*n), make([]float32, m*n)
	panel := kernel.Pack(b, k, n, false)
	var peaks []float64
	step := func(context.Context) ([]float32, error) {
		kernel.Gemm(o.threads, m, a, k, panel, c, n, kernel.Epilogue{})
		return c, nil
	}
	first, err := measure(ctx, o, begin, step) // warms up and tells how long one takes
	if err != nil {
		return nil, err
	}
	inner := max(1, int(math.Ceil(benchRoundTime/first.MinS)))
	var rounds []float64
	for len(rounds) < 3*benchRounds && !(o.quick && len(rounds) > 0) && ctx.Err() == nil {
		peaks = append(peaks, peakRate(o.threads))
		start := time.Now()
		for range inner {
			step(ctx)
		}
		rounds = append(rounds, time.Since(start).Seconds()/float64(inner))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.Sort(rounds)
	slices.Sort(peaks)
	r := first
	r.N, r.MinS, r.MedianS, r.P90S = len(rounds), rounds[0], quantile(rounds, 0.5), quantile(rounds, 0.9)
	r.GFlops = 2 * float64(m) * float64(k) * float64(n) / r.MedianS / 1e9
	if peak := quantile(peaks, 0.5); peak > 0 {
		r.PeakGFlops, r.ShareOfPeak = peak/1e9, r.GFlops*1e9/peak
	}
	return r, nil
}

// peakRate runs multiply-adds on registers on all threads for some milliseconds and returns operations a second.
func peakRate(threads int) float64 {
	const units, steps = 64, 20000
	var flop [units]int
	start := time.Now()
	kernel.Parallel(threads, units, func(u int) { flop[u] = kernel.MultiplyAdds(steps) })
	seconds := time.Since(start).Seconds()
	total := 0
	for _, f := range flop {
		total += f
	}
	return float64(total) / seconds
}

// ramp makes n numbers of both signs without extremes.
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((i*2654435761)%4096)/2048 - 1
	}
	return x
}
