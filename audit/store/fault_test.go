package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"vitrine/audit"
	"vitrine/web/db"
)

// silent keeps expected complaints out of the test output.
func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func fill(t *testing.T, l *Log, n int) {
	t.Helper()
	err := l.db.Write(t.Context(), func(ctx context.Context) error {
		for range n {
			if _, err := l.Append(ctx, denied("PREDICTION.MADE.DENIED")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyNamesWhatWasChanged changes the database behind the log's back.
func TestVerifyNamesWhatWasChanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change change
		code   string
		index  int64
	}{
		{"leaf", bytesOf("audit_events", "leaf", "idx = 41", rewrite("deny", "allo")), LeafAltered, 41},
		{"leaf byte", bytesOf("audit_events", "leaf", "idx = 300", flip(20)), LeafAltered, 300},
		{"leaf hash", bytesOf("audit_events", "leaf_hash", "idx = 7", flip(0)), LeafAltered, 7},
		{"removed", statement("DELETE FROM audit_events WHERE idx = 299"), IndexMissing, 299},
		{"removed at the end", statement("DELETE FROM audit_events WHERE idx > 598"), IndexMissing, 599},
		{"swapped", statement("UPDATE audit_events SET idx = CASE idx WHEN 11 THEN -12 WHEN 12 THEN -11 END WHERE idx IN (11, 12); UPDATE audit_events SET idx = -idx WHERE idx < 0"), LeafAltered, 11},
		{"inserted", statement("UPDATE audit_events SET idx = 600 WHERE idx = 17"), IndexMissing, 17},
		{"actor column", statement("UPDATE audit_events SET actor = 'user:local' WHERE idx = 5"), ColumnAltered, 5},
		{"effect column", statement("UPDATE audit_events SET effect = 'allow' WHERE idx = 5"), ColumnAltered, 5},
		{"time column", statement("UPDATE audit_events SET time = '2020-01-01T00:00:00.000Z' WHERE idx = 5"), ColumnAltered, 5},
		{"tile", bytesOf("audit_tiles", "data", "level = 1", flip(0)), TileAltered, 0},
		{"tile removed", statement("DELETE FROM audit_tiles WHERE level = 0 AND n = 1"), TileAltered, 256},
		{"old checkpoint", bytesOf("audit_checkpoints", "note", "id = 1", rewrite("time", "tyme")), CheckpointBad, -1},
		{"counter", statement("UPDATE audit_counters SET n = n + 1 WHERE code = 'PREDICTION.MADE.DENIED'"), CountersDiffer, -1},
		{"counter bounds", statement("UPDATE audit_counters SET first = first + 1 WHERE code = 'PREDICTION.MADE.DENIED'"), CountersDiffer, -1},
		{"counter removed", statement("DELETE FROM audit_counters WHERE code = 'PREDICTION.MADE.DENIED'"), CountersDiffer, -1},
		{"head", bytesOf("audit_logs", "checkpoint", "size > 0", rewrite("time", "tyme")), CheckpointBad, -1},
		{"outbox", func(t *testing.T, d *db.DB) {
			statement("UPDATE audit_events SET idx = NULL WHERE idx = 599")(t, d)
			bytesOf("audit_events", "leaf", "idx IS NULL", flip(3))(t, d)
		}, OutboxAltered, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, l := open(t, t.TempDir(), Options{Logger: silent()})
			fill(t, l, 599)
			c.change(t, d)
			h, err := l.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if h.OK {
				t.Fatal("nothing was noticed")
			}
			for _, p := range h.Problems {
				if p.Code == c.code && (c.index < 0 || p.Index == c.index) {
					return
				}
			}
			t.Errorf("want %s at %d, got %+v", c.code, c.index, h.Problems)
		})
	}
}

// change is a change of the database behind the log's back.
type change func(t *testing.T, d *db.DB)

// statement runs SQL that changes at least one row.
func statement(sql string) change {
	return func(t *testing.T, d *db.DB) { tamper(t, d, sql) }
}

// bytesOf changes a column of bytes in every row of a table that matches.
func bytesOf(table, column, where string, edit func([]byte) []byte) change {
	return func(t *testing.T, d *db.DB) {
		t.Helper()
		err := d.Write(t.Context(), func(ctx context.Context) error {
			var list [][]byte
			if err := d.Tx(ctx).Table(table).Where(where).Pluck(column, &list).Error; err != nil {
				return err
			}
			if len(list) == 0 {
				return errors.New("no row to change")
			}
			for _, old := range list {
				now := edit(bytes.Clone(old))
				if bytes.Equal(now, old) {
					return errors.New("the edit changed nothing")
				}
				if err := d.Tx(ctx).Table(table).Where(where).Where(column+" = ?", old).Update(column, now).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func rewrite(old, now string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(now)) }
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 1; return b }
}

func tamper(t *testing.T, d *db.DB, sql string) {
	t.Helper()
	for _, s := range strings.Split(sql, ";") {
		err := d.Write(t.Context(), func(ctx context.Context) error {
			res := d.Tx(ctx).Exec(s)
			if res.Error == nil && res.RowsAffected == 0 {
				return errors.New("the statement changed nothing")
			}
			return res.Error
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingIsSignedOverDamage: with the right edge of the tree altered the
// sequencer refuses, events keep waiting, and health says so.
func TestNothingIsSignedOverDamage(t *testing.T) {
	d, l := open(t, t.TempDir(), Options{Logger: silent()})
	fill(t, l, 10)
	before, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bytesOf("audit_tiles", "data", "level = 0", flip(0))(t, d)
	if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Errorf("Flush: %v, want ErrDamaged", err)
	}
	after, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Error("a checkpoint was signed over damaged tiles")
	}
}

// TestOldBackup puts an old copy of the database back under a newer key folder.
func TestOldBackup(t *testing.T) {
	dir := t.TempDir()
	d, l := openFile(t, dir, Options{})
	fill(t, l, 20)
	file := filepath.Join(dir, "vitrine.db")
	backup := filepath.Join(dir, "backup.db")
	pool, err := d.Pool(1, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("VACUUM INTO ?", backup); err != nil {
		t.Fatal(err)
	}
	pool.Close()
	fill(t, l, 20)
	origin := l.Origin()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Close()
	for _, f := range []string{"-wal", "-shm"} {
		os.Remove(file + f)
	}
	if err := os.Rename(backup, file); err != nil {
		t.Fatal(err)
	}

	d, l = openFile(t, dir, Options{})
	if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); !errors.Is(err, ErrRolledBack) {
		t.Errorf("Append: %v, want ErrRolledBack", err)
	}
	h, err := l.Verify(t.Context())
	if err != nil || h.OK || h.Problems[0].Code != RolledBack {
		t.Errorf("%+v, %v", h, err)
	}
	if p, err := l.Events(t.Context(), Query{}); err != nil || len(p.Entries) != 21 {
		t.Errorf("reading must go on: %d entries, %v", len(p.Entries), err)
	}
	l.Close(t.Context())
	d.Close()

	_, l = openFile(t, dir, Options{AcceptRestore: true})
	if l.Origin() == origin {
		t.Error("the log goes on under the origin whose signatures it contradicts")
	}
	fill(t, l, 3)
	h, err = l.Verify(t.Context())
	if err != nil || !h.OK || h.Size != 25 {
		t.Errorf("%+v, %v", h, err)
	}
	e, err := l.Event(t.Context(), "21")
	if err != nil || e.Event.Code != "LOG.RESTORED.OK" || e.Event.Numbers["size"] != 21 || e.Event.Numbers["signed_size"] != 41 {
		t.Errorf("%+v, %v", e.Event, err)
	}
}

// TestKeyIsMissing: a log cannot go on with another key than its own.
func TestKeyIsMissing(t *testing.T) {
	dir := t.TempDir()
	d, l := open(t, dir, Options{})
	l.Close(t.Context())
	if err := os.Remove(filepath.Join(dir, "keys", "log-"+testWorkspace+".key")); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), d, Options{Workspace: testWorkspace, KeysDir: filepath.Join(dir, "keys")})
	if !errors.Is(err, audit.ErrKey) {
		t.Errorf("Open: %v, want ErrKey", err)
	}
}

var errInjected = errors.New("injected")

// failing fails the statement number at of a transaction.
type failing struct {
	*db.DB
	at, count int
}

func (f *failing) Tx(ctx context.Context) *gorm.DB {
	tx := f.DB.Tx(ctx)
	tx.Statement.ConnPool = &failingPool{tx.Statement.ConnPool, f}
	return tx
}

// Read inside of the transaction is the transaction too.
func (f *failing) Read(ctx context.Context) *gorm.DB {
	if f.InWrite(ctx) {
		return f.Tx(ctx)
	}
	return f.DB.Read(ctx)
}

type failingPool struct {
	gorm.ConnPool
	f *failing
}

func (p *failingPool) step() error {
	p.f.count++
	if p.f.count == p.f.at {
		return errInjected
	}
	return nil
}

func (p *failingPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	return p.ConnPool.ExecContext(ctx, query, args...)
}

func (p *failingPool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	return p.ConnPool.QueryContext(ctx, query, args...)
}

// TestEveryStepOfASequencingCanFail fails each statement of one sequencing in turn:
// nothing is half-written, and the next attempt includes everything.
func TestEveryStepOfASequencingCanFail(t *testing.T) {
	d, l := open(t, t.TempDir(), Options{Logger: silent()})
	fill(t, l, 300)
	l.turn.Lock() // the background sequencer waits: this test sequences alone
	defer l.turn.Unlock()
	for range 5 {
		if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); err != nil {
			t.Fatal(err)
		}
	}
	_, before, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	steps, real := 0, l.db
	for n := 1; ; n++ {
		f := &failing{DB: d, at: n}
		l.db = f
		err := l.sequence(t.Context())
		l.db = real
		if err == nil {
			steps = n - 1
			break
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("step %d: %v", n, err)
		}
		_, now, err := l.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(now, before) {
			t.Fatalf("step %d failed and the head moved", n)
		}
	}
	if steps < 10 {
		t.Errorf("only %d steps were failed", steps)
	}
	h, err := l.Verify(t.Context())
	if err != nil || !h.OK || h.Size != 306 || h.Pending != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}
