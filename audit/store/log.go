package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"vitrine/audit"
)

var (
	// ErrRolledBack means that the database is older than the last checkpoint this
	// host signed, or belongs to another log: signing on would contradict evidence
	// that may already be in other hands.
	ErrRolledBack = errors.New("the audit log in the database is older than the last signed checkpoint")
	// ErrNotFound means that there is no such event, tile or receipt.
	ErrNotFound = errors.New("not in the audit log")
	// ErrQuery means that a filter is malformed.
	ErrQuery = errors.New("malformed audit filter")
	// ErrDamaged means that the log's own records contradict each other; the
	// sequencer signs nothing over them.
	ErrDamaged = errors.New("the audit log is damaged")
	// ErrClosed means that the log was closed.
	ErrClosed = errors.New("the audit log is closed")
)

const (
	// batch is the most events one checkpoint adds.
	batch = 256
	// quiet is how long the sequencer waits after an event for company: long
	// enough to share a checkpoint under load, short enough that a person who
	// follows the receipt's link finds the proof.
	quiet = 50 * time.Millisecond
	// poll is how often the outbox is looked at unasked.
	poll = time.Second
	// patience is how long a process that does not lead lets an event wait before it
	// includes it itself: the promise is 5 s.
	patience = 3 * time.Second
	// idle is the age at which a checkpoint is signed again although nothing
	// happened: the signed statement that nothing did.
	idle = time.Hour
	// noted bounds the best-effort events waiting to be written.
	noted = 1024
)

// DB is what the log needs of the database (web/db).
type DB interface {
	Write(ctx context.Context, fn func(ctx context.Context) error) error
	Tx(ctx context.Context) *gorm.DB
	Read(ctx context.Context) *gorm.DB
	InWrite(ctx context.Context) bool
	AfterCommit(ctx context.Context, f func())
	// Lead says whether this process is the one that does a task.
	Lead(ctx context.Context, name string) bool
}

// Options says whose log it is and where its key lives.
type Options struct {
	Workspace string // slug or ULID
	KeysDir   string // DIR/keys; the key file log-WORKSPACE.key is made on first use
	// AcceptRestore lets a log go on whose database was put back from a backup: it
	// retires the key, starts a new origin over the same leaves and records the
	// loss as LOG.RESTORED.OK.
	AcceptRestore bool
	Now           func() time.Time          // nil: time.Now
	ReceiptURL    func(event string) string // nil: /api/v1/audit/receipts/EVENT
	Logger        *slog.Logger              // nil: slog.Default
}

// Log is the audit log of one workspace. Its methods may be called from any
// goroutine.
type Log struct {
	db     DB
	o      Options
	keys   atomic.Pointer[ring]
	halted error // set once in Open: why nothing may be signed

	wake    chan struct{}
	notes   chan audit.Event
	dropped atomic.Int64
	stop    chan struct{}
	done    sync.WaitGroup
	closing sync.Once
	turn    sync.Mutex // held by whoever sequences

	waits int64     // the outbox's first number when overdue last looked, 0: empty
	since time.Time // when that was seen first

	mu     sync.Mutex
	fault  error     // last error of the sequencer, nil when it works
	signed time.Time // time of the last checkpoint
	health *Health   // result of the last Verify
}

// Open opens the log of a workspace, making log and key on first use, and starts
// its sequencer. A database older than the last signed checkpoint opens for
// reading: Append answers ErrRolledBack and Health says so, until it is opened
// with AcceptRestore. Errors: audit.ErrKey when the key is missing or of another
// log; errors of the database.
func Open(ctx context.Context, d DB, o Options) (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ReceiptURL == nil {
		o.ReceiptURL = func(event string) string { return "/api/v1/audit/receipts/" + event }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	l := &Log{db: d, o: o, wake: make(chan struct{}, 1), notes: make(chan audit.Event, noted), stop: make(chan struct{})}
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("audit/store: opening the log: %w", err)
	}
	l.done.Add(2)
	go l.sequencer()
	go l.noter()
	return l, nil
}

func (l *Log) keyFile() string { return filepath.Join(l.o.KeysDir, "log-"+l.o.Workspace+".key") }

// Origin is the log's name: the first line of its checkpoints.
func (l *Log) Origin() string { return l.keys.Load().signer.Name() }

// ID is the random last part of the origin, as in /log/{id}/.
func (l *Log) ID() string { return l.Origin()[strings.LastIndexByte(l.Origin(), '/')+1:] }

// VerifierKey is the log's public key, one line without a newline.
func (l *Log) VerifierKey() string { return l.keys.Load().signer.VerifierKey }

// Verifier checks the log's signatures.
func (l *Log) Verifier() note.Verifier { return l.keys.Load().verify }

// Signer signs what belongs to the log, such as the manifest of an evidence pack.
func (l *Log) Signer() note.Signer { return l.keys.Load().signer }

// Workspace is whose log it is.
func (l *Log) Workspace() string { return l.o.Workspace }

// Append writes an event to the outbox and returns the signed promise to include
// it. Within a write (db.Write) it joins that transaction, so that action and
// event are kept or lost together; outside it makes its own. Version, ID, Time and
// Workspace are filled where empty. The promise holds once the transaction is
// committed. Errors: audit.ErrEvent, ErrRolledBack, ErrClosed, the database's.
func (l *Log) Append(ctx context.Context, e audit.Event) (audit.Promise, error) {
	if l.halted != nil {
		return audit.Promise{}, fmt.Errorf("audit/store: writing an event: %w", l.halted)
	}
	if !l.db.InWrite(ctx) {
		var p audit.Promise
		err := l.db.Write(ctx, func(ctx context.Context) (err error) {
			p, err = l.Append(ctx, e)
			return err
		})
		return p, err
	}
	select {
	case <-l.stop:
		return audit.Promise{}, fmt.Errorf("audit/store: writing an event: %w", ErrClosed)
	default:
	}
	l.fill(&e, l.o.Now())
	row, err := rowOf(e)
	if err != nil {
		return audit.Promise{}, fmt.Errorf("audit/store: writing an event: %w", err)
	}
	if e.Workspace != l.o.Workspace {
		return audit.Promise{}, fmt.Errorf("audit/store: the event belongs to another workspace: %w", audit.ErrEvent)
	}
	if err := l.db.Tx(ctx).Create(&row).Error; err != nil {
		return audit.Promise{}, fmt.Errorf("audit/store: writing an event: %w", err)
	}
	at, err := audit.ParseTime(e.Time)
	if err != nil {
		return audit.Promise{}, err
	}
	p, err := audit.NewPromise(e.ID, audit.LeafHash(row.Leaf), at, l.Signer())
	if err != nil {
		return audit.Promise{}, err
	}
	p.URL = l.o.ReceiptURL(e.ID)
	l.db.AfterCommit(ctx, l.poke)
	return p, nil
}

func (l *Log) fill(e *audit.Event, now time.Time) {
	if e.Version == 0 {
		e.Version = audit.LeafVersion
	}
	if e.ID == "" {
		e.ID = ulid.Make().String()
	}
	if e.Time == "" {
		e.Time = audit.FormatTime(now)
	}
	if e.Workspace == "" {
		e.Workspace = l.o.Workspace
	}
	if e.Decision != nil && e.Decision.Asked.Workspace == "" {
		d := *e.Decision
		d.Asked.Workspace = e.Workspace
		e.Decision = &d
	}
}

// rowOf makes the row of a complete event.
func rowOf(e audit.Event) (eventRow, error) {
	leaf, err := e.Canonical()
	if err != nil {
		return eventRow{}, err
	}
	h := audit.LeafHash(leaf)
	r := eventRow{Workspace: e.Workspace, EventID: e.ID, Leaf: leaf, LeafHash: h[:], Code: e.Code, Time: e.Time,
		Actor: e.Actor, Object: e.Object, Request: e.Request}
	if e.Model != nil {
		r.Model = e.Model.ID
	}
	if e.Decision != nil {
		r.Effect = e.Decision.Effect
	}
	return r, nil
}

func (l *Log) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close writes what waits, sequences everything pending, signs, and stops the
// log's goroutines. Later appends fail with ErrClosed. The database stays open.
func (l *Log) Close(ctx context.Context) error {
	var err error
	l.closing.Do(func() {
		close(l.stop)
		l.done.Wait()
		if l.halted == nil {
			err = l.Flush(ctx)
		}
	})
	return err
}

// setFault keeps the sequencer's state and reports a change of it once.
func (l *Log) setFault(err error) {
	l.mu.Lock()
	changed := (err == nil) != (l.fault == nil)
	l.fault = err
	l.mu.Unlock()
	switch {
	case changed && err != nil:
		l.o.Logger.Error("audit log: events wait to be included", "error", err)
	case changed:
		l.o.Logger.Info("audit log: events are included again")
	}
}
