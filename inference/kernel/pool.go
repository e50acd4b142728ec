package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// job is one Parallel call: units are handed out by an atomic counter to whoever asks.
type job struct {
	f      func(unit int)
	units  int64
	next   atomic.Int64
	busy   atomic.Int32 // helpers that may be inside run
	given  []*helper
	wake   chan struct{}
	failed atomic.Bool
	panics any
}

// jobs keeps finished ones: a late helper may still send to wake, which a later call takes for a reason to look again.
var jobs = sync.Pool{New: func() any { return &job{wake: make(chan struct{}, 1)} }}

func (j *job) run() {
	for {
		u := j.next.Add(1) - 1
		if u >= j.units {
			return
		}
		j.f(int(u))
	}
}

// help runs the job on a helper; a panic of f is kept for the caller and stops the handing out of units.
func (j *job) help(h *helper) {
	defer func() {
		if r := recover(); r != nil {
			if j.failed.CompareAndSwap(false, true) {
				j.panics = r
			}
			j.next.Store(j.units)
		}
		idle.put(h) // before the caller goes on, so that its next call finds the helper
		if j.busy.Add(-1) == 0 {
			select {
			case j.wake <- struct{}{}:
			default:
			}
		}
	}()
	j.run()
}

// helper is one persistent goroutine on its own thread. It spins for a bounded time after a job and then parks, so an idle process uses no CPU.
type helper struct {
	slot   atomic.Pointer[job]
	parked atomic.Bool
	wake   chan struct{}
}

// How long to spin, in steps of about a nanosecond: a helper before it parks, which covers the gap between two kernels of one forward pass; a caller that
// waits for the last units of its helpers before it blocks.
const (
	spinHelper = 50000
	spinCaller = 100000
)

func (h *helper) loop() {
	runtime.LockOSThread()
	for {
		h.await().help(h)
	}
}

func (h *helper) await() *job {
	for range spinHelper / pauses {
		if j := h.take(); j != nil {
			return j
		}
		pause()
	}
	for {
		h.parked.Store(true)
		if h.slot.Load() == nil || !h.parked.CompareAndSwap(true, false) {
			<-h.wake // now or soon the giver sends, and has seen to parked
		}
		if j := h.take(); j != nil {
			return j
		}
	}
}

// take empties the slot; what it returns is the helper's, or nobody's any more.
func (h *helper) take() *job {
	if h.slot.Load() == nil {
		return nil
	}
	return h.slot.Swap(nil)
}

func (h *helper) give(j *job) {
	h.slot.Store(j)
	if h.parked.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}

// helpers is the stack of idle helpers; the most recently used is on top, because it may still be spinning.
type helpers struct {
	mu    sync.Mutex
	free  []*helper
	total int
}

var idle helpers

func (p *helpers) put(h *helper) {
	p.mu.Lock()
	p.free = append(p.free, h)
	p.mu.Unlock()
}

// take hands the job to at most n idle helpers and starts new ones while there are fewer than limit.
func (p *helpers) take(n, limit int, j *job) {
	p.mu.Lock()
	for len(j.given) < n {
		if l := len(p.free); l > 0 {
			j.given = append(j.given, p.free[l-1])
			p.free = p.free[:l-1]
		} else if p.total < limit {
			p.total++
			h := &helper{wake: make(chan struct{}, 1)}
			j.given = append(j.given, h)
			go h.loop()
		} else {
			break
		}
	}
	p.mu.Unlock()
	j.busy.Store(int32(len(j.given)))
	for _, h := range j.given {
		h.give(j)
	}
}

// Parallel calls f for every unit 0..units-1, on the caller and on at most threads-1 persistent helpers (threads <= 0: GOMAXPROCS), and returns when all are done.
// Units are handed out one by one, in order. The helpers of all calls together never exceed GOMAXPROCS-1: a call that finds none idle, a nested one for
// instance, runs inline. A panic in f reaches the caller after the other units have stopped.
func Parallel(threads, units int, f func(unit int)) {
	procs := runtime.GOMAXPROCS(0)
	if threads <= 0 {
		threads = procs
	}
	threads = min(threads, units)
	if threads <= 1 {
		for u := range units {
			f(u)
		}
		return
	}
	j := jobs.Get().(*job)
	j.f, j.units = f, int64(units)
	j.next.Store(0)
	// At least one helper exists even on one core, so that tests with several threads exercise the hand-over.
	idle.take(threads-1, max(procs-1, 1), j)
	defer func() {
		if r := recover(); r != nil {
			j.next.Store(j.units)
			j.wait()
			panic(r)
		}
	}()
	j.run()
	j.wait()
	if j.failed.Load() {
		panic(j.panics)
	}
	j.f = nil
	jobs.Put(j)
}

// wait returns when no helper is inside the job. One that has not begun, because it is still waking up, is let off.
func (j *job) wait() {
	for i, h := range j.given {
		if h.slot.CompareAndSwap(j, nil) {
			j.busy.Add(-1)
			idle.put(h)
		}
		j.given[i] = nil
	}
	j.given = j.given[:0]
	for range spinCaller / pauses {
		if j.busy.Load() == 0 {
			return
		}
		pause()
	}
	for j.busy.Load() != 0 {
		<-j.wake
	}
}

// workers is the number of threads a kernel is asked to use.
func workers(threads int) int {
	if threads <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return threads
}

// span cuts n elements into units of at most size elements.
func span(n, size, unit int) (lo, hi int) {
	lo = unit * size
	return lo, min(n, lo+size)
}
