package identity

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Delays against guessing: the first failures cost nothing (more of them for an
// address, which many people can share), then the wait doubles from delayFirst
// up to delayMost. Quiet for delayForget forgets.
const (
	freeTries   = 4
	freeAddress = 20
	delayFirst  = time.Second
	delayMost   = 5 * time.Minute
	delayForget = time.Hour
	maxDelays   = 20000
)

// DelayError says that a sign-in comes too soon after failed ones.
type DelayError struct{ Wait time.Duration }

func (e *DelayError) Error() string {
	return fmt.Sprintf("identity: too many failed sign-ins, try again in %d s", int(e.Wait.Round(time.Second)/time.Second))
}

// delays counts failures by account and by address, in bounded memory.
type delays struct {
	mu  sync.Mutex
	now func() time.Time
	m   map[string]*failures
}

type failures struct {
	free  int // failures that cost nothing
	count int
	last  time.Time
}

func newDelays(now func() time.Time) *delays {
	return &delays{now: now, m: map[string]*failures{}}
}

// begin counts an attempt as failed before it is made, for all keys or for
// none: of a thousand guesses sent at once only a few are looked at. A success
// takes it back. A DelayError says how long to wait.
func (d *delays) begin(keys ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	var wait time.Duration
	for _, k := range keys {
		if f := d.m[k]; f != nil {
			wait = max(wait, f.wait(now))
		}
	}
	if wait > 0 {
		return &DelayError{wait}
	}
	for _, k := range keys {
		f := d.m[k]
		if f == nil || now.Sub(f.last) > delayForget {
			if f == nil && len(d.m) >= maxDelays {
				d.evict(now)
			}
			f = &failures{free: freeFor(k)}
			d.m[k] = f
		}
		f.count++
		f.last = now
	}
	return nil
}

// freeFor: keys of accounts begin with "a:", all others are addresses.
func freeFor(key string) int {
	if strings.HasPrefix(key, "a:") {
		return freeTries
	}
	return freeAddress
}

func (f *failures) wait(now time.Time) time.Duration {
	if f.count < f.free || now.Sub(f.last) > delayForget {
		return 0
	}
	w := delayMost
	if n := f.count - f.free; n < 9 {
		w = min(w, delayFirst<<n)
	}
	return f.last.Add(w).Sub(now)
}

// succeed forgets the account's failures and takes back the address's attempt:
// other accounts guessed from that address stay counted.
func (d *delays) succeed(account, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.m, account)
	if f := d.m[address]; f != nil && f.count > 0 {
		f.count--
	}
}

// cancel takes the attempt back for all keys: it failed for no fault of the
// caller's.
func (d *delays) cancel(keys ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range keys {
		if f := d.m[k]; f != nil && f.count > 0 {
			f.count--
		}
	}
}

// evict drops what is forgotten, and if that is nothing, the entries with the
// fewest failures seen in one pass: they are what a flood of names leaves.
func (d *delays) evict(now time.Time) {
	for k, f := range d.m {
		if now.Sub(f.last) > delayForget {
			delete(d.m, k)
		}
	}
	for least := 1; len(d.m) >= maxDelays; least *= 2 {
		for k, f := range d.m {
			if f.count <= least && len(d.m) >= maxDelays*9/10 {
				delete(d.m, k)
			}
		}
	}
}
