// Package db opens the server's database, migrates it, and puts every write of
// the process through one queue.
//
// The database is SQLite without cgo: gorm's dialect over the modernc driver. A
// second process on the same folder is refused with [ErrLocked], a database of a
// newer program with [ErrNewerSchema].
//
// Writers call [DB.Write]; the transaction travels in the context, so that
// everything called from there with that context joins it. Readers call
// [DB.Read], which never blocks on a writer.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// DriverName is the database/sql driver in use: the pure-Go SQLite.
const DriverName = "sqlite"

// FileName is the database file inside the data folder.
const FileName = "vitrine.db"

// readers is the number of read-only connections kept open.
const readers = 8

// Errors of this package. Each is wrapped with the sentence that says what to do.
var (
	// ErrLocked: another process has this data folder open.
	ErrLocked = errors.New("db: the data folder is in use by another process")
	// ErrNewerSchema: the database was written by a newer version of the program.
	ErrNewerSchema = errors.New("db: the database was written by a newer version")
	// ErrDiskFull: the disk has no room; nothing of the failed write was kept.
	ErrDiskFull = errors.New("db: the disk is full")
	// ErrClosed: the database was closed.
	ErrClosed = errors.New("db: closed")
)

// DB is one open data folder. Its methods may be called from any goroutine.
type DB struct {
	dir    string
	lock   *os.File
	writer *gorm.DB
	reader *gorm.DB

	queue chan *request
	done  chan struct{} // closed when the committer has ended

	mu     sync.RWMutex // guards closed against a send on queue
	closed bool
}

// Open opens DIR/vitrine.db, creating folder and database where missing (folder
// mode 0700), takes the folder's lock and applies the registered migrations that
// are not yet applied. Errors: [ErrLocked], [ErrNewerSchema], [ErrDiskFull].
func Open(ctx context.Context, dir string) (*DB, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("db: opening %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("db: creating the data folder: %w", err)
	}
	lock, err := acquire(filepath.Join(abs, "vitrine.lock"))
	if err != nil {
		return nil, err
	}
	d := &DB{dir: abs, lock: lock, queue: make(chan *request, queueLength), done: make(chan struct{})}
	if err := d.connect(ctx); err != nil {
		d.disconnect()
		return nil, err
	}
	go d.commitLoop()
	return d, nil
}

func (d *DB) connect(ctx context.Context) error {
	// 0600 before SQLite makes it with the umask's mode.
	f, err := os.OpenFile(d.Path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("db: opening the database: %w", err)
	}
	f.Close()
	if d.writer, err = d.open(1, false); err != nil {
		return fmt.Errorf("db: opening the database: %w", Translate(err))
	}
	if err := migrate(ctx, d.writer); err != nil {
		return err
	}
	if d.reader, err = d.open(readers, true); err != nil {
		return fmt.Errorf("db: opening the database for reading: %w", Translate(err))
	}
	return nil
}

// open returns a gorm handle over its own pool of n connections.
func (d *DB) open(n int, readOnly bool) (*gorm.DB, error) {
	pool, err := d.Pool(n, readOnly)
	if err != nil {
		return nil, err
	}
	dialect := gormsqlite.Dialector{DriverName: DriverName, Conn: pool}
	return gorm.Open(&dialector{dialect}, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		// Logs of SQL would carry values; errors are returned, never logged here.
		Logger: logger.Discard,
	})
}

// Pool opens a further pool of n connections on the same file, with the same
// pragmas. The caller closes it before the database. It is meant for River, which
// brings its own transactions; everything else uses Write and Read.
func (d *DB) Pool(n int, readOnly bool) (*sql.DB, error) {
	pool, err := sql.Open(DriverName, d.dsn(readOnly))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

func (d *DB) dsn(readOnly bool) string {
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
	path := filepath.ToSlash(d.Path())
	if runtime.GOOS == "windows" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Dir returns the absolute path of the data folder.
func (d *DB) Dir() string { return d.dir }

// Path returns the path of the database file.
func (d *DB) Path() string { return filepath.Join(d.dir, FileName) }

// Read returns the read-only pool, bound to ctx. Inside a [DB.Write] it returns the
// transaction, so that a write sees what it wrote.
func (d *DB) Read(ctx context.Context) *gorm.DB {
	if t := d.transaction(ctx); t != nil {
		return t.gorm.WithContext(ctx)
	}
	return d.reader.WithContext(ctx)
}

// Tx returns the transaction of ctx. It panics outside of [DB.Write]: calling it
// there is a programmer's error, never an input's.
func (d *DB) Tx(ctx context.Context) *gorm.DB {
	t := d.transaction(ctx)
	if t == nil {
		panic("db: Tx outside of Write")
	}
	return t.gorm.WithContext(ctx)
}

// SQLTx returns the transaction of ctx as database/sql knows it, for River's
// InsertTx. It panics outside of [DB.Write].
func (d *DB) SQLTx(ctx context.Context) *sql.Tx {
	tx, ok := d.Tx(ctx).Statement.ConnPool.(*sql.Tx)
	if !ok {
		panic("db: the transaction is not database/sql's")
	}
	return tx
}

// Close waits for the queued writes, then closes the database and lets the folder
// go. Later writes fail with [ErrClosed].
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.queue)
	d.mu.Unlock()
	<-d.done
	return d.disconnect()
}

func (d *DB) disconnect() error {
	var first error
	for _, g := range []*gorm.DB{d.reader, d.writer} {
		if g == nil {
			continue
		}
		if pool, err := g.DB(); err == nil {
			if err := pool.Close(); err != nil && first == nil {
				first = fmt.Errorf("db: closing: %w", err)
			}
		}
	}
	release(d.lock)
	return first
}
