//go:build unix

package report_test

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory is the largest resident set of a process that ended, in bytes.
func peakMemory(s *os.ProcessState) int64 {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}
