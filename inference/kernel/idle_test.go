//go:build linux

package kernel

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// After work, helpers spin for a moment and then park: an idle process uses no CPU.
func TestIdleHelpersUseNoCPU(t *testing.T) {
	used := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	Parallel(4, 100, func(int) { time.Sleep(10 * time.Microsecond) })
	time.Sleep(20 * time.Millisecond)
	before := used()
	time.Sleep(200 * time.Millisecond)
	if d := used() - before; d > 50*time.Millisecond {
		t.Errorf("idle for 200 ms took %v of CPU time", d)
	}
}
