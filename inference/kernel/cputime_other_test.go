//go:build !linux

package kernel

import "time"

var began = time.Now()

// cpuTime is the clock on the wall where no better one is at hand.
func cpuTime() time.Duration { return time.Since(began) }
