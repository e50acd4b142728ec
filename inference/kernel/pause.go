package kernel

// pauses is how many spin iterations one call of pause stands for.
const pauses = 32

var spinSink uint32

// pause spends a few dozen nanoseconds without touching shared memory.
func pause() {
	x := uint32(1)
	for range pauses {
		x = x*1664525 + 1013904223
	}
	if x == 0 {
		spinSink = x
	}
}
