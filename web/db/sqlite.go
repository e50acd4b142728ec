package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// driverName is the database/sql driver of the pure-Go SQLite.
const driverName = "sqlite"

// FileName is the database file inside the data folder.
const FileName = "vitrine.db"

// sqlite is the engine of one file in a locked folder.
type sqlite struct {
	dir  string
	lock *os.File
}

func openSQLite(dir string) (engine, error) {
	lock, err := acquire(filepath.Join(dir, "vitrine.lock"))
	if err != nil {
		return nil, err
	}
	s := &sqlite{dir, lock}
	if err := touch(s.path(FileName)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sqlite) path(name string) string { return filepath.Join(s.dir, name) }

// touch makes an empty file with mode 0600 before SQLite makes it with the umask's.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("db: opening the database: %w", err)
	}
	return f.Close()
}

func (s *sqlite) open(_ int, readOnly bool) (*sql.DB, error) {
	return sql.Open(driverName, dsn(s.path(FileName), readOnly))
}

func dsn(path string, readOnly bool) string {
	q := url.Values{}
	for _, p := range []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(ON)", "secure_delete(ON)", "temp_store(MEMORY)", "cache_size(-16384)",
	} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Add("_pragma", "query_only(ON)")
	} else {
		q.Set("_txlock", "immediate")
	}
	q.Set("_time_format", "sqlite")
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (s *sqlite) dialect(pool *sql.DB) gorm.Dialector {
	return &sqliteDialect{gormsqlite.Dialector{DriverName: driverName, Conn: pool}}
}

// alone: BEGIN IMMEDIATE and the folder's lock have seen to it.
func (s *sqlite) alone(*gorm.DB) error     { return nil }
func (s *sqlite) column(ddl string) string { return ddl }

func (s *sqlite) beside(_ context.Context, name string) (*sql.DB, error) {
	path := s.path(name + ".db")
	if err := touch(path); err != nil {
		return nil, err
	}
	return sql.Open(driverName, dsn(path, false))
}

func (s *sqlite) forget(ctx context.Context, g *gorm.DB) error {
	return g.WithContext(ctx).Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error
}

func (s *sqlite) lead(context.Context, string) bool         { return true }
func (s *sqlite) led(context.Context, string) (bool, error) { return true, nil }
func (s *sqlite) exclusive(ctx context.Context, fn func(ctx context.Context) error) error {
	return fn(ctx)
}

func (s *sqlite) close() { release(s.lock) }

func (s *sqlite) snapshot(ctx context.Context, g *gorm.DB, path string) error {
	if err := touch(path); err != nil {
		return err
	}
	if g != nil {
		return g.WithContext(ctx).Exec("VACUUM INTO ?", path).Error
	}
	pool, err := sql.Open(driverName, dsn(s.path(FileName), false))
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, "VACUUM INTO ?", path)
	return errors.Join(err, pool.Close())
}

// Check reads a whole SQLite file, pages, indexes and references: [ErrDamaged] with the
// first thing that is wrong.
func Check(ctx context.Context, path string) (err error) {
	pool, err := sql.Open(driverName, dsn(path, true))
	if err != nil {
		return fmt.Errorf("db: checking: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	var said string
	if err := pool.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil || said != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, cmp.Or(said, fmt.Sprint(err)))
	}
	rows, err := pool.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return fmt.Errorf("db: checking: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		return fmt.Errorf("%w: a row refers to one that is missing", ErrDamaged)
	}
	return rows.Err()
}
