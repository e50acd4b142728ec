//go:build amd64 && !noasm

package kernel

// MultiplyAdds runs n steps of independent fused multiply-adds on registers alone, at the current level, and returns how many
// floating-point operations that were: the rate that no product can pass. It is 0, and nothing runs, where no such loop exists.
func MultiplyAdds(n int) int {
	const chains = 12
	switch Current() {
	case AVX512:
		peak_avx512(n)
		return 2 * chains * 16 * n
	case AVX2:
		peak_avx2(n)
		return 2 * chains * 8 * n
	}
	return 0
}
