package store

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/audit"
	"vitrine/web/db"
	"vitrine/web/db/dbtest"
)

// crashDir makes this test binary the process that is killed: it appends events
// from several goroutines and prints the id of each one acknowledged.
const crashDir = "VITRINE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := appendUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if dir := os.Getenv(appendDir); dir != "" {
		if err := appendOnce(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// appendDir makes this test binary the process whose system calls fail: it opens the log,
// says so, appends one event, says its id once it is acknowledged, and closes.
const appendDir = "VITRINE_TEST_APPEND_DIR"

func appendOnce(dir string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer d.Close()
	l, err := Open(ctx, d, Options{Workspace: testWorkspace, KeysDir: dir + "/keys", Logger: silent()})
	if err != nil {
		return err
	}
	p, err := l.Append(ctx, denied("PREDICTION.MADE.DENIED"))
	if err == nil {
		fmt.Println(p.Event)
	}
	return l.Close(ctx)
}

func appendUntilKilled(dir string) error {
	ctx := context.Background()
	d, err := db.OpenURL(ctx, dir, dbtest.Of(dir))
	if err != nil {
		return err
	}
	l, err := Open(ctx, d, Options{Workspace: testWorkspace, KeysDir: dir + "/keys"})
	if err != nil {
		return err
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				p, err := l.Append(ctx, denied("PREDICTION.MADE.DENIED"))
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				out.Lock()
				fmt.Println(p.Event)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.New("nothing killed this process")
}

var kills = flag.Int("kills", 8, "how often TestKilledUnderLoad kills the writing process")

// TestKilledUnderLoad kills a writing process at random moments: afterwards the log
// verifies and holds every event that was acknowledged.
func TestKilledUnderLoad(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	dbtest.Address(t, dir)
	for range *kills {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s := bufio.NewScanner(out)
		for i := 0; s.Scan(); i++ {
			acknowledged[s.Text()] = true
			if i == 0 {
				time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		if complaints.Len() > 0 {
			t.Fatal(complaints.String())
		}
	}
	_, l := open(t, dir, Options{Logger: silent()})
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := l.Verify(t.Context())
	if err != nil || !h.OK || h.Pending != 0 {
		t.Fatalf("%+v, %v", h, err)
	}
	for id := range acknowledged {
		if r, err := l.Receipt(t.Context(), id); err != nil || r.Status != audit.Included {
			t.Errorf("an acknowledged event is lost: %v", err)
		}
	}
	t.Logf("%d kills, %d events acknowledged, log of %d", *kills, len(acknowledged), h.Size)
}

// TestTwoSequencers runs two logs over one database, each with its own sequencer.
func TestTwoSequencers(t *testing.T) {
	dir := t.TempDir()
	d, one := open(t, dir, Options{})
	two, err := Open(t.Context(), d, Options{Workspace: testWorkspace, KeysDir: dir + "/keys"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, l := range []*Log{one, two} {
		for range 20 {
			wg.Go(func() {
				for range 10 {
					if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); err != nil {
						t.Error(err)
					}
					if err := l.Flush(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if err := two.Close(t.Context()); err != nil {
		t.Error(err)
	}
	h, err := one.Verify(t.Context())
	if err != nil || !h.OK || h.Size != 401 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestClockSetBack: checkpoints never go back in time, whatever the clock does.
func TestClockSetBack(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	_, l := open(t, t.TempDir(), Options{Now: clock, Logger: silent()})
	fill(t, l, 3)
	mu.Lock()
	now = now.Add(-5 * 365 * 24 * time.Hour)
	mu.Unlock()
	fill(t, l, 3)
	c, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Time.Year() != 2026 {
		t.Errorf("the checkpoint went back to %s", c.Time)
	}
	if h, err := l.Verify(t.Context()); err != nil || !h.OK {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestIdleCheckpoint: after an hour without events the same tree is signed again.
func TestIdleCheckpoint(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	_, l := open(t, t.TempDir(), Options{Logger: silent(), Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	fill(t, l, 3)
	before, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = now.Add(idle)
	mu.Unlock()
	l.signIdle()
	after, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Size != before.Size || after.Root != before.Root || !after.Time.Equal(now) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	hours, err := l.HourlyHeads(t.Context(), 1, after.Size)
	if err != nil || len(hours) != 2 {
		t.Errorf("%d hourly checkpoints, %v", len(hours), err)
	}
}

// TestDroppedEventsAreCounted floods the best-effort queue while nothing is written.
func TestDroppedEventsAreCounted(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{Logger: silent()})
	view := audit.Event{Code: "PAGE.VIEWED.OK", Actor: "user:local", Object: "page:audit"}
	if err := l.Note(denied("PREDICTION.MADE.DENIED")); !errors.Is(err, audit.ErrEvent) {
		t.Errorf("a strict event was noted: %v", err)
	}
	const views = 20 * noted
	for range views {
		if err := l.Note(view); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := l.Counts(t.Context(), Query{Kinds: []string{"PAGE"}})
	if err != nil {
		t.Fatal(err)
	}
	var dropped int64
	for e, err := range l.Leaves(t.Context(), Query{Kinds: []string{"EVENTS.DROPPED"}}) {
		if err != nil {
			t.Fatal(err)
		}
		ev, err := audit.ParseLeaf(e.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		dropped += ev.Numbers["dropped"]
	}
	if c.Total+dropped != views || dropped == 0 {
		t.Errorf("%d written and %d counted as dropped, of %d", c.Total, dropped, views)
	}
	if _, err := l.Append(t.Context(), view); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
}
