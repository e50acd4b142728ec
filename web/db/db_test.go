package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	driver "modernc.org/sqlite"

	"vitrine/web/db/dbtest"
)

type note struct {
	ID   int64 `gorm:"primaryKey"`
	Text string
}

func open(t *testing.T, dir string) *DB {
	t.Helper()
	d, err := OpenURL(context.Background(), dir, dbtest.Address(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// openFile is open for what only a file has.
func openFile(t *testing.T, dir string) *DB {
	t.Helper()
	d, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func openNotes(t *testing.T) *DB {
	t.Helper()
	return withNotes(t, open(t, t.TempDir()))
}

func withNotes(t *testing.T, d *DB) *DB {
	t.Helper()
	err := d.Write(context.Background(), func(ctx context.Context) error {
		return d.Tx(ctx).Exec(serial(d)).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func serial(d *DB) string {
	id := "INTEGER PRIMARY KEY"
	if d.Postgres() {
		id = "BIGSERIAL PRIMARY KEY"
	}
	return "CREATE TABLE notes (id " + id + ", text TEXT NOT NULL)"
}

func count(t *testing.T, d *DB) int64 {
	t.Helper()
	var n int64
	if err := d.Read(context.Background()).Model(&note{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDriverIsPureGo(t *testing.T) {
	d := openFile(t, t.TempDir())
	pool, err := d.writer.DB()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := pool.Driver().(*driver.Driver); !ok {
		t.Fatalf("driver is %T", pool.Driver())
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1"} {
		var got string
		if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, want %q (%v)", pragma, got, want, err)
		}
	}
	if err := d.Read(context.Background()).Exec("CREATE TABLE x (a)").Error; err == nil {
		t.Error("the reading pool wrote")
	}
}

func TestAFailedWriteTakesBackOnlyItself(t *testing.T) {
	d := openNotes(t)
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := d.Write(context.Background(), func(ctx context.Context) error {
				if err := d.Tx(ctx).Create(&note{Text: fmt.Sprint(i)}).Error; err != nil {
					return err
				}
				if i%2 == 1 {
					return boom
				}
				return nil
			})
			if (i%2 == 1) != errors.Is(err, boom) {
				t.Errorf("write %d: %v", i, err)
			}
		}()
	}
	wg.Wait()
	if n := count(t, d); n != 100 {
		t.Fatalf("%d rows, want 100", n)
	}
}

func TestDuplicatesAreTranslated(t *testing.T) {
	d := openNotes(t)
	err := d.Write(context.Background(), func(ctx context.Context) error {
		d.Tx(ctx).Create(&note{ID: 1, Text: "a"})
		return d.Tx(ctx).Create(&note{ID: 1, Text: "b"}).Error
	})
	if !errors.Is(err, gorm.ErrDuplicatedKey) || count(t, d) != 0 {
		t.Fatal(err)
	}
}

func TestPanicGoesOnInTheCaller(t *testing.T) {
	d := openNotes(t)
	func() {
		defer func() {
			if recover() != "constant" {
				t.Error("the panic did not come back")
			}
		}()
		d.Write(context.Background(), func(ctx context.Context) error {
			d.Tx(ctx).Create(&note{Text: "x"})
			panic("constant")
		})
	}()
	if n := count(t, d); n != 0 {
		t.Fatalf("%d rows after a panic", n)
	}
}

func TestNestedWriteAndHooks(t *testing.T) {
	d := openNotes(t)
	var hooks []string
	err := d.Write(context.Background(), func(ctx context.Context) error {
		d.AfterCommit(ctx, func() { hooks = append(hooks, "outer") })
		d.Tx(ctx).Create(&note{Text: "outer"})
		inner := d.Write(ctx, func(ctx context.Context) error {
			d.AfterCommit(ctx, func() { hooks = append(hooks, "inner") })
			d.Tx(ctx).Create(&note{Text: "inner"})
			return errors.New("no")
		})
		if inner == nil {
			t.Error("the nested write succeeded")
		}
		var n int64
		d.Read(ctx).Model(&note{}).Count(&n)
		if n != 1 {
			t.Errorf("inside, %d rows", n)
		}
		return nil
	})
	if err != nil || count(t, d) != 1 || strings.Join(hooks, " ") != "outer" {
		t.Fatal(err, count(t, d), hooks)
	}
}

func TestCancelledBeforeItsTurn(t *testing.T) {
	d := openNotes(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Write(ctx, func(context.Context) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	// Cancelled while running: the write finishes and is kept.
	ctx, cancel = context.WithCancel(context.Background())
	err := d.Write(ctx, func(ctx context.Context) error {
		cancel()
		return d.Tx(ctx).Create(&note{Text: "kept"}).Error
	})
	if err != nil || count(t, d) != 1 {
		t.Fatal(err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	d := openFile(t, dir)
	if _, err := Open(context.Background(), dir); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	d.Close()
	again, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := again.Write(context.Background(), func(context.Context) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	d.Write(context.Background(), func(ctx context.Context) error {
		return d.Tx(ctx).Create(&appliedMigration{9999, "from the future", 1}).Error
	})
	d.Close()
	_, err := OpenURL(context.Background(), dir, dbtest.Address(t, dir))
	if !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), "from the future") {
		t.Fatal(err)
	}
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	const number = 9001
	RegisterMigration(number, "breaks", func(tx *gorm.DB) error {
		if err := tx.Exec("CREATE TABLE half (a BIGINT)").Error; err != nil {
			return err
		}
		return errors.New("broken step")
	})
	dir := t.TempDir()
	_, err := OpenURL(context.Background(), dir, dbtest.Address(t, dir))
	delete(migrations, number)
	if err == nil {
		t.Fatal("a failing step was accepted")
	}
	d := open(t, dir)
	if err := d.Read(context.Background()).Exec("SELECT a FROM half").Error; err == nil {
		t.Fatal("half a step was kept")
	}
}

func TestDiskFull(t *testing.T) {
	d := withNotes(t, openFile(t, t.TempDir()))
	var pages int
	d.writer.Raw("PRAGMA page_count").Scan(&pages)
	d.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+4))
	err := d.Write(context.Background(), func(ctx context.Context) error {
		return d.Tx(ctx).Create(&note{Text: strings.Repeat("x", 1<<20)}).Error
	})
	if !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	d.writer.Exec("PRAGMA max_page_count = 1000000")
	err = d.Write(context.Background(), func(ctx context.Context) error {
		return d.Tx(ctx).Create(&note{Text: "room again"}).Error
	})
	if err != nil || count(t, d) != 1 {
		t.Fatal(err)
	}
}

func TestModesOfFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made here, with % and spaces?")
	openFile(t, dir)
	for name, want := range map[string]os.FileMode{"": 0o700, FileName: 0o600, "vitrine.lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want && os.PathSeparator == '/' {
			t.Errorf("%q has mode %o, want %o", name, got, want)
		}
	}
}

// TestAnotherWriterWaits: a second pool (River's) and the queue write side by side.
func TestAnotherWriterWaits(t *testing.T) {
	d := openNotes(t)
	pool, err := d.Pool(1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(2)
		go func() {
			defer wg.Done()
			if _, err := pool.Exec("INSERT INTO notes (text) VALUES ('river')"); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			defer wg.Done()
			err := d.Write(context.Background(), func(ctx context.Context) error {
				return d.Tx(ctx).Create(&note{Text: "queue"}).Error
			})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if n := count(t, d); n != 100 {
		t.Fatal(n)
	}
}

func BenchmarkWrite(b *testing.B) {
	d, err := Open(context.Background(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	d.Write(context.Background(), func(ctx context.Context) error {
		return d.Tx(ctx).Exec(serial(d)).Error
	})
	b.SetParallelism(128)
	start := time.Now()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			d.Write(context.Background(), func(ctx context.Context) error {
				return d.Tx(ctx).Create(&note{Text: "x"}).Error
			})
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "writes/s")
}
