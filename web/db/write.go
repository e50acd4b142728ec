package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

const (
	// groupSize is the most requests that share one commit.
	groupSize = 256
	// groupTime is the longest time a group may hold the writer before it commits.
	groupTime = 100 * time.Millisecond
	// queueLength is the number of requests that may wait before Write blocks.
	queueLength = 1024
)

// request is one call of Write on its way to the committer. The committer owns it
// until it sends on result.
type request struct {
	ctx    context.Context
	fn     func(ctx context.Context) error
	result chan error
	after  []func()
	panicV any
}

// transaction is what Write puts in the context.
type transaction struct {
	db      *DB
	gorm    *gorm.DB
	request *request
	depth   int
}

type transactionKey struct{}

func (d *DB) transaction(ctx context.Context) *transaction {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	if t == nil || t.db != d {
		return nil
	}
	return t
}

// InWrite says whether ctx carries a transaction of this database.
func (d *DB) InWrite(ctx context.Context) bool { return d.transaction(ctx) != nil }

// Write runs fn inside a write transaction and returns once it is committed to
// disk. Calls that come at the same time share one transaction, each in its own
// savepoint: an fn that fails takes back what it wrote and nothing of the others.
// A failing commit fails every call of the group.
//
// fn runs on the committer's goroutine while no other write can: it does database
// work only, never a model run, a network call or a wait. Its context carries the
// transaction and is not cancelled, since the whole group is rolled back when a
// statement is interrupted. After a statement that failed fn returns: PostgreSQL does
// nothing more in its savepoint. A Write inside a Write joins it as a nested savepoint.
//
// Errors: fn's own; the error of ctx, when it ended before fn began; [ErrDiskFull];
// [ErrClosed]. A panic of fn is rolled back and goes on in the caller.
func (d *DB) Write(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := d.transaction(ctx); t != nil {
		return t.nested(ctx, fn)
	}
	r := &request{ctx: ctx, fn: fn, result: make(chan error, 1)}
	if err := d.enqueue(r); err != nil {
		return err
	}
	err := <-r.result
	if r.panicV != nil {
		panic(r.panicV)
	}
	if err != nil {
		return Translate(err)
	}
	for _, f := range r.after {
		f()
	}
	return nil
}

func (d *DB) enqueue(r *request) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return ErrClosed
	}
	select {
	case d.queue <- r:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// AfterCommit has f called, on the goroutine that called Write, once the
// transaction of ctx is on disk. It is not called when the write fails.
func (d *DB) AfterCommit(ctx context.Context, f func()) {
	t := d.transaction(ctx)
	if t == nil {
		panic("db: AfterCommit outside of Write")
	}
	t.request.after = append(t.request.after, f)
}

// nested runs fn in a savepoint of the transaction that ctx already carries.
func (t *transaction) nested(ctx context.Context, fn func(ctx context.Context) error) error {
	inner := &transaction{db: t.db, gorm: t.gorm, request: t.request, depth: t.depth + 1}
	hooks := len(t.request.after)
	err := inner.savepoint(context.WithValue(ctx, transactionKey{}, inner), fn)
	if err != nil {
		t.request.after = t.request.after[:hooks]
	}
	return err
}

// savepoint runs fn between SAVEPOINT and RELEASE, or takes its work back. An error
// wrapping errBroken means that the whole transaction is gone.
func (t *transaction) savepoint(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	name := fmt.Sprintf("s%d", t.depth)
	if err := t.gorm.Exec("SAVEPOINT " + name).Error; err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	finished := false
	defer func() {
		if finished && err == nil {
			if e := t.gorm.Exec("RELEASE " + name).Error; e != nil {
				err = fmt.Errorf("%w: %w", errBroken, e)
			}
			return
		}
		for _, s := range []string{"ROLLBACK TO ", "RELEASE "} {
			if e := t.gorm.Exec(s + name).Error; e != nil && err != nil {
				err = fmt.Errorf("%w: %w", errBroken, err)
				return
			}
		}
	}()
	err = fn(ctx)
	finished = true
	return err
}

// errBroken marks an error after which the group's transaction cannot go on.
var errBroken = errors.New("db: the transaction was rolled back")

// commitLoop is the only goroutine that uses the writer connection after Open.
func (d *DB) commitLoop() {
	defer close(d.done)
	for first := range d.queue {
		d.commitGroup(first)
	}
}

// commitGroup runs first and whatever else waits in one transaction.
func (d *DB) commitGroup(first *request) {
	if err := first.ctx.Err(); err != nil {
		first.result <- err
		return
	}
	tx := d.writer.WithContext(context.Background()).Begin()
	if tx.Error != nil {
		first.result <- fmt.Errorf("db: beginning a write: %w", tx.Error)
		return
	}
	if err := d.engine.alone(tx); err != nil {
		tx.Rollback()
		first.result <- fmt.Errorf("db: beginning a write: %w", err)
		return
	}
	var done []*request
	deadline := time.Now().Add(groupTime)
	r, broken := first, error(nil)
	for n := 1; r != nil; n++ {
		if err := d.run(tx, r); errors.Is(err, errBroken) {
			broken = err
			done = append(done, r)
			break
		} else if err != nil || r.panicV != nil {
			r.result <- err
		} else {
			done = append(done, r)
		}
		r = nil
		if n < groupSize && time.Now().Before(deadline) {
			select {
			case r = <-d.queue: // nil once the queue is closed and empty
			default:
			}
		}
	}
	err := broken
	if err == nil {
		if err = tx.Commit().Error; err != nil {
			err = fmt.Errorf("db: committing: %w", err)
		}
	}
	if err != nil {
		tx.Rollback()
	}
	for _, r := range done {
		r.result <- err
	}
}

// run executes one request in its savepoint; a panic is kept for the caller.
func (d *DB) run(tx *gorm.DB, r *request) (err error) {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			r.panicV = v
			err = nil
		}
	}()
	t := &transaction{db: d, gorm: tx, request: r}
	ctx := context.WithValue(context.WithoutCancel(r.ctx), transactionKey{}, t)
	return t.savepoint(ctx, r.fn)
}
