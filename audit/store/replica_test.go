package store

import (
	"sync"
	"testing"
	"time"

	"vitrine/audit"
	"vitrine/web/db/dbtest"
)

// TestProcessesOnOneDatabase: three processes append and sequence at once, all of them
// by mistake: the log is one, and whole. .ci/run runs it against a PostgreSQL server.
func TestProcessesOnOneDatabase(t *testing.T) {
	if !dbtest.Postgres() {
		t.Skip(dbtest.Variable + " names no server")
	}
	dir := t.TempDir()
	var logs []*Log
	for range 3 {
		_, l := open(t, dir, Options{Logger: silent()})
		logs = append(logs, l)
	}
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		ids []string
	)
	for _, l := range logs {
		for range 8 {
			wg.Go(func() {
				for range 20 {
					p, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED"))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					ids = append(ids, p.Event)
					mu.Unlock()
					if err := l.Flush(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	for _, l := range logs {
		if h, err := l.Verify(t.Context()); err != nil || !h.OK || h.Size != 481 || h.Pending != 0 {
			t.Errorf("%+v, %v", h, err)
		}
	}
	for _, id := range ids {
		if r, err := logs[0].Receipt(t.Context(), id); err != nil || r.Status != audit.Included {
			t.Errorf("an acknowledged event is lost: %v", err)
		}
	}
}

// TestLeaderHangs: an event is included although the leader does nothing.
func TestLeaderHangs(t *testing.T) {
	if !dbtest.Postgres() {
		t.Skip(dbtest.Variable + " names no server")
	}
	dir := t.TempDir()
	_, leader := open(t, dir, Options{Logger: silent()})
	for end := time.Now().Add(5 * time.Second); !leader.db.Lead(t.Context(), "sequencer "+testWorkspace); {
		if time.Now().After(end) {
			t.Fatal("nobody leads")
		}
	}
	leader.turn.Lock() // it keeps the lead, and sequences nothing
	defer leader.turn.Unlock()
	_, other := open(t, dir, Options{Logger: silent()})
	p, err := other.Append(t.Context(), denied("PREDICTION.MADE.DENIED"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for {
		r, err := other.Receipt(t.Context(), p.Event)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status == audit.Included {
			break
		}
		if time.Since(start) > 2*patience+poll {
			t.Fatal("the event waits for a leader that hangs")
		}
		time.Sleep(50 * time.Millisecond)
	}
}
