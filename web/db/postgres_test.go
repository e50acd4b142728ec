package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/web/db/dbtest"
)

// openTwice opens one PostgreSQL database as two processes would. The rest of this file
// is about what only a shared database has; .ci/run runs it against a server.
func openTwice(t *testing.T) (one, two *DB) {
	t.Helper()
	if !dbtest.Postgres() {
		t.Skip(dbtest.Variable + " names no server")
	}
	dir := t.TempDir()
	one = withNotes(t, open(t, dir))
	return one, open(t, dir)
}

// TestWritersAreSerialOverProcesses: read, decide, write from two processes at once
// loses no step.
func TestWritersAreSerialOverProcesses(t *testing.T) {
	one, two := openTwice(t)
	ctx := context.Background()
	if err := one.Write(ctx, func(ctx context.Context) error { return one.Tx(ctx).Create(&note{ID: 1, Text: "0"}).Error }); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, d := range []*DB{one, two} {
		for range 100 {
			wg.Go(func() {
				err := d.Write(ctx, func(ctx context.Context) error {
					var n note
					if err := d.Tx(ctx).Take(&n, 1).Error; err != nil {
						return err
					}
					return d.Tx(ctx).Model(&n).Update("text", n.Text+"x").Error
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	var n note
	if err := two.Read(ctx).Take(&n, 1).Error; err != nil || len(n.Text) != 201 {
		t.Errorf("%d steps of 200, %v", len(n.Text)-1, err)
	}
}

// TestOneLeader: the lead goes to one process, and to the other when the first ends.
func TestOneLeader(t *testing.T) {
	one, two := openTwice(t)
	ctx := context.Background()
	if !one.Lead(ctx, "a") || !one.Lead(ctx, "a") || two.Lead(ctx, "a") {
		t.Error("not exactly the first one leads")
	}
	if !two.Lead(ctx, "b") || one.Lead(ctx, "b") {
		t.Error("another task has no leader of its own")
	}
	for name, want := range map[string]bool{"a": true, "b": true, "c": false} {
		for _, d := range []*DB{one, two} {
			if led, err := d.Led(ctx, name); err != nil || led != want {
				t.Errorf("%s is led: %v, %v", name, led, err)
			}
		}
	}
	one.Close()
	for end := time.Now().Add(10 * time.Second); !two.Lead(ctx, "a"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody took the lead over")
		}
	}
}

// TestExclusive: what runs alone never runs twice at once.
func TestExclusive(t *testing.T) {
	one, two := openTwice(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, d := range []*DB{one, two, one, two} {
		wg.Go(func() {
			err := d.Exclusive(context.Background(), func(ctx context.Context) error {
				if !mu.TryLock() {
					return errors.New("two at once")
				}
				time.Sleep(20 * time.Millisecond)
				mu.Unlock()
				return d.Exclusive(ctx, func(context.Context) error { return nil })
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestConnectionLost: a write whose connection is cut fails whole, and the next one works.
func TestConnectionLost(t *testing.T) {
	one, two := openTwice(t)
	ctx := context.Background()
	err := one.Write(ctx, func(ctx context.Context) error {
		var pid int
		if err := one.Tx(ctx).Raw("SELECT pg_backend_pid()").Scan(&pid).Error; err != nil {
			return err
		}
		if err := one.Tx(ctx).Create(&note{Text: "lost"}).Error; err != nil {
			return err
		}
		return two.Read(ctx).Exec("SELECT pg_terminate_backend(?)", pid).Error
	})
	if err == nil {
		t.Error("the write of a connection that was cut is reported as kept")
	}
	err = one.Write(ctx, func(ctx context.Context) error { return one.Tx(ctx).Create(&note{Text: "kept"}).Error })
	if err != nil || count(t, two) != 1 {
		t.Errorf("%d rows, %v", count(t, two), err)
	}
}

// TestHungProcess: a process that stops inside of a write does not stop the others for
// longer than the server's patience.
func TestHungProcess(t *testing.T) {
	one, two := openTwice(t)
	ctx := context.Background()
	hung := make(chan error, 1)
	err := one.Write(ctx, func(ctx context.Context) error {
		if err := one.Tx(ctx).Exec("SET LOCAL idle_in_transaction_session_timeout = '100ms'").Error; err != nil {
			return err
		}
		if err := one.Tx(ctx).Create(&note{Text: "hung"}).Error; err != nil {
			return err
		}
		go func() {
			hung <- two.Write(context.Background(), func(ctx context.Context) error { return two.Tx(ctx).Create(&note{Text: "went on"}).Error })
		}()
		return <-hung
	})
	if err == nil || count(t, two) != 1 {
		t.Errorf("%d rows, %v", count(t, two), err)
	}
}

func TestAddressesAreNotRepeated(t *testing.T) {
	for _, address := range []string{
		"mysql://u:secret@127.0.0.1/x", "postgres://u:secret@[::1/x", "postgres://u:secret@127.0.0.1:1/x?sslmode=disable", "postgres://u:secret@host/x?sslmode=secret",
	} {
		_, err := OpenURL(context.Background(), t.TempDir(), address)
		if !errors.Is(err, ErrUnavailable) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestColumns(t *testing.T) {
	var p postgres
	got := p.column("CREATE TABLE t (a CHAR(26) PRIMARY KEY, b BLOB NOT NULL, c TEXT, d VARCHAR(8) NOT NULL, blobs BIGINT)")
	want := `CREATE TABLE t (a VARCHAR(26) COLLATE "C" PRIMARY KEY, b BYTEA NOT NULL, c TEXT COLLATE "C", d VARCHAR(8) COLLATE "C" NOT NULL, blobs BIGINT)`
	if got != want {
		t.Errorf("%s", got)
	}
}
