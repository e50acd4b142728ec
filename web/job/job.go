// Package job runs long work in the background on River, behind a small interface.
//
// A kind of job is a name and a function, registered from init in a file of its
// own; a job is enqueued inside the transaction that asked for it, so that it
// exists exactly when what it is about exists. A job that a crash interrupted runs
// again at the next start: work functions are written to be repeated.
package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"gorm.io/gorm"

	"vitrine/web/db"
)

// migration is this package's place in the list of schema steps.
const migration = 30

func init() {
	db.RegisterMigration(migration, "job queue", func(tx *gorm.DB) error {
		if tx.Name() == "postgres" {
			return nil // prepare: some of River's steps cannot share a transaction there
		}
		sqlTx, ok := tx.Statement.ConnPool.(*sql.Tx)
		if !ok {
			return errors.New("job: the schema step runs outside of a transaction")
		}
		m, err := rivermigrate.New(riversqlite.New(nil), &rivermigrate.Config{Logger: discard})
		if err != nil {
			return err
		}
		//lint:ignore SA1019 SQLite changes its schema inside of transactions, and ours is all or nothing
		_, err = m.MigrateTx(context.Background(), sqlTx, rivermigrate.DirectionUp, nil)
		return err
	})
}

var discard = slog.New(slog.DiscardHandler)

// Work does one job. host is what Start was given; args what Insert was given. The
// context ends when the job is cancelled or the program stops. An error that wraps
// ErrFinal is not tried again; any other is, up to the kind's attempts.
type Work func(ctx context.Context, host any, args json.RawMessage) error

// Kind is one sort of job. Name is frozen: it stands in stored rows.
type Kind struct {
	Name     string
	Attempts int           // at most; at least 1
	Timeout  time.Duration // of one attempt; 0 = none
	Work     Work
}

// ErrFinal marks an error after which a job is not tried again.
var ErrFinal = errors.New("job: not tried again")

var (
	kinds = map[string]Kind{}
	named = regexp.MustCompile(`^[a-z]+(\.[a-z]+)*$`)
)

// Register adds a kind; it panics on duplicates and invalid entries.
func Register(k Kind) {
	if !named.MatchString(k.Name) || k.Attempts < 1 || k.Work == nil {
		panic("job: invalid kind " + k.Name)
	}
	if _, twice := kinds[k.Name]; twice {
		panic("job: kind registered twice: " + k.Name)
	}
	kinds[k.Name] = k
}

// Kinds lists the registered kinds by name.
func Kinds() []Kind {
	list := make([]Kind, 0, len(kinds))
	for _, k := range kinds {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Kind) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}

// arguments carries one job's kind and payload through River.
type arguments struct {
	kind    string
	payload json.RawMessage
}

func (a arguments) Kind() string                    { return a.kind }
func (a arguments) MarshalJSON() ([]byte, error)    { return a.payload, nil }
func (a *arguments) UnmarshalJSON(raw []byte) error { a.payload = slices.Clone(raw); return nil }

// Queue is a running job queue over one database.
type Queue struct {
	db     *db.DB
	pool   *sql.DB
	client *river.Client[*sql.Tx]
	id     string // of this process in River's rows

	stop    context.CancelFunc // ends adopting
	adopter sync.WaitGroup
}

// Start begins to work on the queue of d with the given number of workers, handing
// host to every job. Jobs that an earlier process left running start again.
func Start(ctx context.Context, d *db.DB, host any, workers int) (*Queue, error) {
	// River brings its own transactions: it gets connections of its own beside the
	// group-commit queue. In SQLite each waits for the other's short transactions.
	n := 1
	if d.Postgres() {
		n = 4
	}
	pool, err := d.Pool(n, false)
	if err != nil {
		return nil, fmt.Errorf("job: opening: %w", err)
	}
	q := &Queue{db: d, pool: pool}
	if err := q.begin(ctx, host, workers); err != nil {
		pool.Close()
		return nil, fmt.Errorf("job: starting: %w", err)
	}
	if d.Postgres() {
		var adopting context.Context
		adopting, q.stop = context.WithCancel(context.WithoutCancel(ctx))
		q.adopter.Go(func() { q.adoptUntil(adopting) })
	}
	return q, nil
}

func (q *Queue) begin(ctx context.Context, host any, workers int) error {
	driver, err := q.prepare(ctx)
	if err != nil {
		return err
	}
	bundle := river.NewWorkers()
	for _, k := range Kinds() {
		river.AddWorkerArgs(bundle, arguments{kind: k.Name}, &worker{kind: k, host: host})
	}
	// The name of the host, River's default, would be kept in every row.
	config := &river.Config{
		ID: q.id, Logger: discard, Workers: bundle,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		JobTimeout:        -1,
		FetchPollInterval: 500 * time.Millisecond,
	}
	if len(kinds) == 0 {
		config.Workers, config.Queues = nil, nil // River refuses a queue without workers
	}
	if q.client, err = river.NewClient(driver, config); err != nil {
		return err
	}
	if len(kinds) == 0 {
		return nil
	}
	return q.client.Start(context.WithoutCancel(ctx))
}

// Insert enqueues a job inside the transaction of ctx (db.Write) and returns its
// number. It starts once that transaction is committed. args encodes to a JSON
// object.
func (q *Queue) Insert(ctx context.Context, kind string, args any) (int64, error) {
	k, ok := kinds[kind]
	if !ok {
		return 0, fmt.Errorf("job: no kind %q", kind)
	}
	payload, err := json.Marshal(args)
	if err != nil {
		return 0, fmt.Errorf("job: encoding a %s job: %w", kind, err)
	}
	row, err := q.client.InsertTx(ctx, q.db.SQLTx(ctx), arguments{kind, payload}, &river.InsertOpts{MaxAttempts: k.Attempts})
	if err != nil {
		return 0, fmt.Errorf("job: enqueuing a %s job: %w", kind, err)
	}
	return row.Job.ID, nil
}

// Cancel ends a job: a waiting one is not started, a running one has its context
// cancelled.
func (q *Queue) Cancel(ctx context.Context, id int64) error {
	if _, err := q.client.JobCancel(ctx, id); err != nil && !errors.Is(err, river.ErrNotFound) {
		return fmt.Errorf("job: cancelling %d: %w", id, err)
	}
	return nil
}

// Stop waits for running jobs until ctx ends, then cancels them; they run again at
// the next start.
func (q *Queue) Stop(ctx context.Context) error {
	defer q.pool.Close()
	if q.stop != nil {
		q.stop()
		q.adopter.Wait()
	}
	if len(kinds) == 0 {
		return nil
	}
	if err := q.client.Stop(ctx); err == nil {
		return nil
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := q.client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("job: stopping: %w", err)
	}
	return nil
}

// worker hands River's jobs of one kind to its Work.
type worker struct {
	river.WorkerDefaults[arguments]
	kind Kind
	host any
}

func (w *worker) Timeout(*river.Job[arguments]) time.Duration {
	if w.kind.Timeout == 0 {
		return -1
	}
	return w.kind.Timeout
}

func (w *worker) Work(ctx context.Context, j *river.Job[arguments]) error {
	err := w.kind.Work(ctx, w.host, j.Args.payload)
	if errors.Is(err, ErrFinal) {
		return river.JobCancel(err)
	}
	return err
}
