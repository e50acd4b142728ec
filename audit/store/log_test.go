package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/web/db"
	"vitrine/web/db/dbtest"
)

// testWorkspace is the workspace of these tests.
const testWorkspace = "default"

// open opens database and log in dir; both are closed at the end of the test.
func open(t testing.TB, dir string, o Options) (*db.DB, *Log) {
	t.Helper()
	return openAt(t, dir, dbtest.Address(t, dir), o)
}

// openFile is open for what only a file has.
func openFile(t testing.TB, dir string, o Options) (*db.DB, *Log) {
	t.Helper()
	return openAt(t, dir, "", o)
}

func openAt(t testing.TB, dir, address string, o Options) (*db.DB, *Log) {
	t.Helper()
	d, err := db.OpenURL(t.Context(), dir, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	o.Workspace, o.KeysDir = testWorkspace, dir+"/keys"
	l, err := Open(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	return d, l
}

// denied is an event whose content is fixed but for its identifiers.
func denied(code string) audit.Event {
	actor := "user:" + ulid.Make().String()
	return audit.Event{Code: code, Actor: actor, Object: "prediction:" + ulid.Make().String(), Model: &audit.Model{ID: "sentiment-minilm"},
		Decision: &audit.Decision{Effect: "deny", Reason: "no-rule-matched", PolicyVersion: 1,
			PolicyHash: fmt.Sprintf("%064x", 1), Asked: audit.Asked{Subject: audit.Asker{ID: actor, Roles: []string{"analyst"}}, Action: "predict", Object: "model:sentiment-minilm"}}}
}

func TestReceiptOfAnEvent(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	p, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(l.Verifier()); err != nil {
		t.Error(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := l.Receipt(t.Context(), p.Event)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(l.Verifier()); err != nil {
		t.Error(err)
	}
	if r.Signature != p.Signature {
		t.Error("the receipt carries another promise than the one given")
	}
	e, err := l.Event(t.Context(), p.Event)
	if err != nil {
		t.Fatal(err)
	}
	f, err := audit.ParseProofFile(r.File())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify(e.Leaf, l.Verifier()); err != nil {
		t.Error(err)
	}
}

func TestAppendIsKeptOrLostWithItsAction(t *testing.T) {
	d, l := open(t, t.TempDir(), Options{})
	failure := errors.New("the action fails")
	err := d.Write(t.Context(), func(ctx context.Context) error {
		if _, err := l.Append(ctx, denied("PREDICTION.MADE.DENIED")); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := l.Counts(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Total != 1 { // LOG.CREATED.OK
		t.Errorf("%d entries, want 1", c.Total)
	}
}

func TestConcurrentAppends(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	const writers, each = 100, 7
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !h.OK || h.Size != writers*each+1 || h.Pending != 0 {
		t.Errorf("%+v", h)
	}
	for i := range h.Size {
		p, err := l.Prove(t.Context(), h.Size, i)
		if err != nil {
			t.Fatal(err)
		}
		e, err := l.Event(t.Context(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := l.Checkpoint(t.Context())
		if err := audit.VerifyInclusion(p, head, i, e.Hash); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSequencerIncludesUnasked(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	p, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED"))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(audit.PromiseDelay)
	for {
		r, err := l.Receipt(t.Context(), p.Event)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status == audit.Included {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the promise was not kept in time")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestVerifyWhileTheLogGrows: entries that come in during a check are no damage.
func TestVerifyWhileTheLogGrows(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); err != nil {
				t.Error(err)
				return
			}
			if err := l.Flush(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 60 {
		h, err := l.Verify(t.Context())
		if err != nil || !h.OK {
			t.Errorf("%+v %v", h, err)
			break
		}
	}
	close(stop)
	wg.Wait()
}
