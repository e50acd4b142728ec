package job

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// River's tables and drivers differ between SQLite and PostgreSQL, and so does what
// tells a job left by a process that ended from one that is under way elsewhere.

// prepare returns River's driver, with its tables there and the jobs of processes that
// ended waiting again.
func (q *Queue) prepare(ctx context.Context) (riverdriver.Driver[*sql.Tx], error) {
	if !q.db.Postgres() {
		// The folder's lock says that no other process works here: what is marked as
		// running was left by one that ended. The name of the host, River's default,
		// would be kept in every row.
		q.id = "vitrine"
		_, err := q.pool.ExecContext(ctx, "UPDATE river_job SET state = 'available', attempt = max(attempt - 1, 0) WHERE state = 'running'")
		return riversqlite.New(q.pool), err
	}
	driver := riverdatabasesql.New(q.pool)
	err := q.db.Exclusive(ctx, func(ctx context.Context) error {
		m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: discard})
		if err != nil {
			return err
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	q.id = "vitrine-" + ulid.Make().String()
	// Held while this process lives; others see by it that the jobs of this name are
	// under way.
	if !q.db.Lead(ctx, worksAs(q.id)) {
		return nil, fmt.Errorf("the lock of this process could not be taken")
	}
	return driver, q.adopt(ctx)
}

func worksAs(id string) string { return "worker " + id }

// adoptTime is how often jobs of processes that ended are looked for.
const adoptTime = 10 * time.Second

// adoptUntil adopts until ctx ends, and takes this process's own lock again where its
// connection was lost.
func (q *Queue) adoptUntil(ctx context.Context) {
	tick := time.NewTicker(adoptTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// A database that is away is asked again; every query of the server says so
			// meanwhile.
			q.db.Lead(ctx, worksAs(q.id))
			_ = q.adopt(ctx)
		}
	}
}

// adopt lets the jobs of processes that ended wait again.
func (q *Queue) adopt(ctx context.Context) error {
	const worker = "attempted_by[array_upper(attempted_by, 1)]"
	rows, err := q.pool.QueryContext(ctx, "SELECT DISTINCT "+worker+" FROM river_job WHERE state = 'running' LIMIT 1000")
	if err != nil {
		return err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		if led, err := q.db.Led(ctx, worksAs(id)); err != nil || led {
			continue
		}
		_, err := q.pool.ExecContext(ctx, "UPDATE river_job SET state = 'available', attempt = greatest(attempt - 1, 0) WHERE state = 'running' AND "+worker+" = $1", id)
		if err != nil {
			return err
		}
	}
	return nil
}
