package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"vitrine/inference"
)

// benchStep runs the case once and returns its result as numbers, of which the first are shown.
type benchStep func(ctx context.Context) ([]float32, error)

// The protocol of a measurement: after the first result three warm-ups, one where a run takes over two seconds, none where it
// takes over five; then rounds until three seconds have passed or fifteen are done, at least three, two of over five seconds.
// A round holds several runs where one takes less than ten milliseconds.
const (
	benchSeconds   = 3.0
	benchRounds    = 15
	benchShort     = 0.010
	benchLong      = 2.0
	benchVeryLong  = 5.0
	benchRoundTime = 0.020
)

// measure runs step by the protocol. opened is when the checkpoint was opened; load_s counts from there.
func measure(ctx context.Context, o *benchOptions, opened time.Time, step benchStep) (*benchResult, error) {
	begin := time.Now()
	first, err := step(ctx)
	if err != nil {
		return nil, err
	}
	took := time.Since(begin).Seconds()
	r := &benchResult{LoadS: time.Since(opened).Seconds(), Threads: o.threads, CPULevel: inference.CPULevel()}
	for _, v := range first[:min(3, len(first))] {
		r.Check = append(r.Check, float64(v))
	}
	if o.loadOnly {
		r.N, r.MedianS, r.MinS, r.P90S, r.CPUS, r.PeakRSSMB = 1, r.LoadS, r.LoadS, r.LoadS, cpuSeconds(), peakRSS()
		return r, nil
	}
	inner, err := warmUp(ctx, o, step, took)
	if err != nil {
		return nil, err
	}
	var rounds []float64
	cpu := cpuSeconds()
	for start := time.Now(); !enough(o, rounds, time.Since(start).Seconds()); {
		begin := time.Now()
		for range inner {
			if _, err := step(ctx); err != nil {
				return nil, err
			}
		}
		rounds = append(rounds, time.Since(begin).Seconds()/float64(inner))
	}
	r.CPUS = (cpuSeconds() - cpu) / float64(len(rounds)*inner)
	slices.Sort(rounds)
	r.N, r.MinS, r.MedianS, r.P90S = len(rounds), rounds[0], quantile(rounds, 0.5), quantile(rounds, 0.9)
	r.PeakRSSMB = peakRSS()
	return r, nil
}

// warmUp returns how many runs make one round.
func warmUp(ctx context.Context, o *benchOptions, step benchStep, first float64) (inner int, err error) {
	best := math.Inf(1)
	for n := 0; n < 3 && !o.quick && first <= benchVeryLong && !(n > 0 && best > benchLong); n++ {
		begin := time.Now()
		if _, err := step(ctx); err != nil {
			return 0, err
		}
		best = min(best, time.Since(begin).Seconds())
	}
	if best < benchShort {
		return int(math.Ceil(benchRoundTime / max(best, 1e-6))), nil
	}
	return 1, nil
}

func enough(o *benchOptions, rounds []float64, seconds float64) bool {
	if o.quick {
		return len(rounds) >= 1
	}
	least := 3
	if len(rounds) > 0 && slices.Min(rounds) > benchVeryLong {
		least = 2
	}
	return len(rounds) >= least && (len(rounds) >= benchRounds || seconds >= benchSeconds)
}

// quantile interpolates in sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	return sorted[i] + (sorted[min(i+1, len(sorted)-1)]-sorted[i])*(at-float64(i))
}

// peakRSS is the process's peak resident memory in MB, 0 where the system does not tell.
func peakRSS() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kb float64
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}
