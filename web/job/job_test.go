package job

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/web/db"
	"vitrine/web/db/dbtest"
)

type host struct {
	done    chan string
	started chan struct{}
	ended   chan error
	tries   atomic.Int32
}

func init() {
	Register(Kind{Name: "test.echo", Attempts: 1, Work: func(_ context.Context, h any, args json.RawMessage) error {
		h.(*host).done <- string(args)
		return nil
	}})
	Register(Kind{Name: "test.wait", Attempts: 1, Work: func(ctx context.Context, h any, _ json.RawMessage) error {
		close(h.(*host).started)
		<-ctx.Done()
		h.(*host).ended <- ctx.Err()
		return ctx.Err()
	}})
	Register(Kind{Name: "test.final", Attempts: 5, Work: func(_ context.Context, h any, _ json.RawMessage) error {
		h.(*host).tries.Add(1)
		h.(*host).done <- "final"
		return ErrFinal
	}})
}

func start(t *testing.T) (*db.DB, *Queue, *host) {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	d, err := db.OpenURL(ctx, dir, dbtest.Address(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	h := &host{done: make(chan string, 300), started: make(chan struct{}), ended: make(chan error, 1)}
	q, err := Start(ctx, d, h, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, q, h
}

func insert(t *testing.T, d *db.DB, q *Queue, kind string, args any) (id int64) {
	t.Helper()
	err := d.Write(context.Background(), func(ctx context.Context) (err error) {
		id, err = q.Insert(ctx, kind, args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came within 20 s")
	}
	return v
}

func TestJobsRunOnceCommitted(t *testing.T) {
	d, q, h := start(t)
	back := errors.New("taken back")
	err := d.Write(context.Background(), func(ctx context.Context) error {
		if _, err := q.Insert(ctx, "test.echo", map[string]string{"text": "never"}); err != nil {
			t.Error(err)
		}
		return back
	})
	if !errors.Is(err, back) {
		t.Fatal(err)
	}
	insert(t, d, q, "test.echo", map[string]string{"text": "seven"})
	var got struct{ Text string }
	if raw := receive(t, h.done); json.Unmarshal([]byte(raw), &got) != nil || got.Text != "seven" {
		t.Fatal(raw)
	}
	insert(t, d, q, "test.final", map[string]string{})
	receive(t, h.done)
	time.Sleep(100 * time.Millisecond)
	if n := h.tries.Load(); n != 1 {
		t.Fatalf("tried %d times", n)
	}
}

func TestCancel(t *testing.T) {
	d, q, h := start(t)
	id := insert(t, d, q, "test.wait", map[string]string{})
	receive(t, h.started)
	if err := q.Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, h.ended); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := q.Cancel(context.Background(), 123456); err != nil {
		t.Fatal(err)
	}
}

// TestWritersBesideJobs: the queue of writes and River's own writes lose nothing.
func TestWritersBesideJobs(t *testing.T) {
	d, q, h := start(t)
	var wg sync.WaitGroup
	for range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			insert(t, d, q, "test.echo", map[string]string{"text": "x"})
		}()
	}
	wg.Wait()
	for range 100 {
		receive(t, h.done)
	}
}

// TestJobsOfTheDead: a job that a process on the same database left running is done by
// another.
func TestJobsOfTheDead(t *testing.T) {
	if !dbtest.Postgres() {
		t.Skip(dbtest.Variable + " names no server")
	}
	d, q, h := start(t)
	id := insert(t, d, q, "test.echo", map[string]string{"text": "again"})
	receive(t, h.done)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := q.pool.Exec("UPDATE river_job SET state = 'running', finalized_at = NULL, attempted_by = '{x,gone}' WHERE id = $1 AND state = 'completed'", id)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := res.RowsAffected(); n == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the job did not end")
		}
	}
	if err := q.adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	receive(t, h.done)
}
