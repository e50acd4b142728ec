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
	busy   atomic.Int32 // helpers still inside run
	wake   chan struct{}
	failed atomic.Bool
	panics any
}

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

const (
	spinHelper = 20000 // pauses of the helper before it parks: tens of microseconds, about the gap between two kernels of one forward pass
	spinCaller = 4000
)

func (h *helper) loop() {
	runtime.LockOSThread()
	for {
		h.await().help(h)
	}
}

func (h *helper) await() *job {
	for range spinHelper / pauses {
		if j := h.slot.Load(); j != nil {
			h.slot.Store(nil)
			return j
		}
		pause()
	}
	for {
		h.parked.Store(true)
		if j := h.slot.Load(); j != nil {
			if !h.parked.CompareAndSwap(true, false) {
				<-h.wake // the giver saw us parked and sends
			}
			h.slot.Store(nil)
			return j
		}
		<-h.wake
	}
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
	var got [64]*helper
	k := 0
	p.mu.Lock()
	for k < n && k < len(got) {
		if l := len(p.free); l > 0 {
			got[k] = p.free[l-1]
			p.free = p.free[:l-1]
		} else if p.total < limit {
			p.total++
			got[k] = &helper{wake: make(chan struct{}, 1)}
			go got[k].loop()
		} else {
			break
		}
		k++
	}
	p.mu.Unlock()
	j.busy.Store(int32(k))
	for _, h := range got[:k] {
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
	j := &job{f: f, units: int64(units), wake: make(chan struct{}, 1)}
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
}

func (j *job) wait() {
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
