// Package db opens the server's database, migrates it, and puts every write of
// the process through one queue.
//
// The database is SQLite without cgo in the data folder, where a second process on
// the same folder is refused with [ErrLocked], or a PostgreSQL server that several
// processes share. Both keep the same promise to writers: one write transaction at a
// time, over all processes, which sees everything written before it. What differs
// between the two is in sqlite.go and postgres.go; the job queue, whose tables are
// River's, is the only other place that asks. A database of a newer program is
// refused with [ErrNewerSchema].
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
	"os"
	"path/filepath"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

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
	// ErrUnavailable: the database server cannot be reached, or refuses this program.
	ErrUnavailable = errors.New("db: the database server cannot be used")
	// ErrSnapshot: the tables are on a PostgreSQL server, whose own tools copy them.
	ErrSnapshot = errors.New("db: a PostgreSQL database is copied by pg_dump: once with --exclude-schema=vitrine_keys, and once apart with --schema=vitrine_keys")
	// ErrDamaged: a database file is not sound.
	ErrDamaged = errors.New("db: the database file is damaged")
	// ErrClosed: the database was closed.
	ErrClosed = errors.New("db: closed")
)

// engine is a kind of database.
type engine interface {
	// open returns a pool of at most n connections.
	open(n int, readOnly bool) (*sql.DB, error)
	dialect(pool *sql.DB) gorm.Dialector
	// alone waits until no other process writes, and keeps it so until tx ends.
	alone(tx *gorm.DB) error
	// column words a column's type, written as SQLite takes it, for this engine.
	column(ddl string) string
	// beside opens the database of that name which is kept apart from the main one.
	beside(ctx context.Context, name string) (*sql.DB, error)
	// forget removes what was deleted from a database that beside opened.
	forget(ctx context.Context, g *gorm.DB) error
	// snapshot writes what g (nil: the main database) holds now to a new file.
	snapshot(ctx context.Context, g *gorm.DB, path string) error
	// lead says whether this process holds the named lock, taking it where it is free.
	lead(ctx context.Context, name string) bool
	// led says whether any process holds the named lock.
	led(ctx context.Context, name string) (bool, error)
	// exclusive runs fn while no other process runs one here.
	exclusive(ctx context.Context, fn func(ctx context.Context) error) error
	// close lets go of what is not a pool of the DB.
	close()
}

// DB is one open database with its data folder. Its methods may be called from any
// goroutine.
type DB struct {
	dir    string
	engine engine
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
func Open(ctx context.Context, dir string) (*DB, error) { return OpenURL(ctx, dir, "") }

// OpenURL is Open with the tables in the PostgreSQL database of an address like
// postgres://user@host/name instead; "" is Open. Any number of processes may open
// it with the same folder, which then holds what is no table: keys and exports.
// Errors also: [ErrUnavailable]. No error repeats the address, which may hold a
// password.
func OpenURL(ctx context.Context, dir, address string) (*DB, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("db: opening %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("db: creating the data folder: %w", err)
	}
	d := &DB{dir: abs, queue: make(chan *request, queueLength), done: make(chan struct{})}
	if address == "" {
		d.engine, err = openSQLite(abs)
	} else {
		d.engine, err = openPostgres(ctx, address)
	}
	if err != nil {
		return nil, err
	}
	if err := d.connect(ctx); err != nil {
		d.disconnect()
		return nil, err
	}
	go d.commitLoop()
	return d, nil
}

func (d *DB) connect(ctx context.Context) (err error) {
	if d.writer, err = d.open(1, false); err != nil {
		return fmt.Errorf("db: opening the database: %w", Translate(err))
	}
	if err := migrate(ctx, d.writer, d.engine); err != nil {
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
	return d.handle(pool)
}

func (d *DB) handle(pool *sql.DB) (*gorm.DB, error) {
	return gorm.Open(d.engine.dialect(pool), &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		// Logs of SQL would carry values; errors are returned, never logged here.
		Logger: logger.Discard,
	})
}

// Pool opens a further pool of n connections on the same database. The caller closes
// it before the database. It is meant for River, which brings its own transactions;
// everything else uses Write and Read.
func (d *DB) Pool(n int, readOnly bool) (*sql.DB, error) {
	pool, err := d.engine.open(n, readOnly)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// Postgres says whether the tables are on a PostgreSQL server, where other processes
// may use them too.
func (d *DB) Postgres() bool {
	_, ok := d.engine.(*postgres)
	return ok
}

// Beside opens the database of a name (a-z) that is kept apart from the main one, so
// that a backup can leave it out: the file DIR/NAME.db, or the schema vitrine_NAME of
// the PostgreSQL database. The caller closes it.
func (d *DB) Beside(ctx context.Context, name string) (*gorm.DB, error) {
	pool, err := d.engine.beside(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("db: opening %s: %w", name, Translate(err))
	}
	pool.SetMaxOpenConns(4)
	g, err := d.handle(pool)
	if err != nil {
		return nil, fmt.Errorf("db: opening %s: %w", name, errors.Join(Translate(err), pool.Close()))
	}
	return g, nil
}

// Forget sees to it that rows deleted from a database of Beside are also gone from
// the files behind it: SQLite's write-ahead log is cut, PostgreSQL's dead rows are
// vacuumed. What a PostgreSQL server archives of its own log is out of reach.
func (d *DB) Forget(ctx context.Context, g *gorm.DB) error { return d.engine.forget(ctx, g) }

// Snapshot writes a database of Beside, or with nil the main one, to a new file with
// mode 0600, as it is at one moment and while others write: a SQLite database. Errors:
// [ErrDiskFull]; [ErrSnapshot] on PostgreSQL.
func (d *DB) Snapshot(ctx context.Context, g *gorm.DB, path string) error {
	if err := d.engine.snapshot(ctx, g, path); err != nil {
		return fmt.Errorf("db: copying the database: %w", Translate(err))
	}
	return nil
}

// Lead says whether this process is the one that does a recurring task of that name,
// and becomes it where nobody is. With SQLite that is always so. A leader that dies or
// loses its connection stops being one at once; until it notices there may be two, so
// the task itself must be safe against it.
func (d *DB) Lead(ctx context.Context, name string) bool { return d.engine.lead(ctx, name) }

// Led says whether some process, this one included, leads that task.
func (d *DB) Led(ctx context.Context, name string) (bool, error) { return d.engine.led(ctx, name) }

// Exclusive runs fn while no other process on the database runs one. With the context
// that fn gets, an Exclusive inside of it runs at once.
func (d *DB) Exclusive(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.engine.exclusive(ctx, fn)
}

// Dir returns the absolute path of the data folder.
func (d *DB) Dir() string { return d.dir }

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
	d.engine.close()
	return first
}
