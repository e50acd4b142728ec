package kernel

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParallelRunsEachUnitOnce(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 7} {
		for _, units := range []int{0, 1, 2, 100} {
			seen := make([]atomic.Int32, units)
			Parallel(threads, units, func(u int) { seen[u].Add(1) })
			for u := range seen {
				if n := seen[u].Load(); n != 1 {
					t.Fatalf("threads %d: unit %d ran %d times", threads, u, n)
				}
			}
		}
	}
}

func TestParallelNestsAndSurvivesPanics(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				var sum atomic.Int64
				Parallel(7, 10, func(u int) { Parallel(7, 10, func(v int) { sum.Add(int64(u * v)) }) })
				if sum.Load() != 45*45 {
					t.Errorf("nested sum is %d", sum.Load())
				}
				func() {
					defer func() {
						if recover() != "here" {
							t.Error("the panic did not reach the caller")
						}
					}()
					Parallel(4, 20, func(u int) {
						if u == i%20 {
							panic("here")
						}
					})
				}()
			}
		}()
	}
	wg.Wait()
}

// A helper that has been idle parks and must still wake.
func TestParallelWakesParkedHelpers(t *testing.T) {
	for range 20 {
		time.Sleep(2 * time.Millisecond)
		var n atomic.Int32
		Parallel(2, 4, func(int) { n.Add(1); time.Sleep(100 * time.Microsecond) })
		if n.Load() != 4 {
			t.Fatal("units lost")
		}
	}
}
