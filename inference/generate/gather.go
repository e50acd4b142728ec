package generate

import "time"

const (
	// A step waits for requests that are choosing their next id, so that they share it: for gather, or for a share of what the last step took where that is
	// longer, up to gatherMost.
	gather      = 300 * time.Microsecond
	gatherMost  = 5 * time.Millisecond
	gatherShare = 4
)

// await gives requests that are under way a moment to hand in their rows: a longer one where more are missing than last time.
func (e *Engine) await() {
	begin := time.Now()
	for {
		e.mu.Lock()
		missing := e.active - len(e.queue)
		e.mu.Unlock()
		wait := gather
		if missing > e.absent {
			wait = max(gather, min(gatherMost, e.took/gatherShare))
		}
		if wait -= time.Since(begin); missing <= 0 || wait <= 0 {
			e.absent = max(0, missing)
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-e.arrived:
		case <-t.C:
		}
		t.Stop()
	}
}
