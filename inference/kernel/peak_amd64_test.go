//go:build amd64 && !noasm

package kernel

import "time"

// peakFlops measures multiply-adds on registers alone, in operations a second of one thread.
func peakFlops(l Level) float64 {
	const n, chains = 5000, 12
	f, lanes := peak_avx2, 8
	switch l {
	case Generic:
		return 0
	case AVX512:
		f, lanes = peak_avx512, 16
	}
	best := time.Hour
	for range 400 {
		start := cpuTime()
		f(n)
		best = min(best, cpuTime()-start)
	}
	return 2 * chains * n * float64(lanes) / best.Seconds()
}
