package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// postgres is the engine of a PostgreSQL database. Writers are serial over all
// processes by one advisory lock that each transaction takes first: the rules of the
// stores (read, decide, write) then hold as they do in SQLite, at READ COMMITTED, with
// nothing to retry. Group commit pays the wait for the lock once a group.
type postgres struct {
	config *pgx.ConnConfig
	locks  *sql.DB // connections that hold session locks

	mu    sync.Mutex
	leads map[string]*sql.Conn
}

const (
	// lockTime bounds the wait for another process's write transaction, idleTime how
	// long a process that hangs may keep the others waiting: the server ends its
	// session then, and what it wrote is gone.
	lockTime = "60s"
	idleTime = "30s"
	// connectTime bounds the wait for the server.
	connectTime = 10 * time.Second
)

func openPostgres(ctx context.Context, address string) (engine, error) {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return nil, fmt.Errorf("%w: its address is written like postgres://user@host:5432/name", ErrUnavailable)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// pgx's own error repeats the address.
		return nil, fmt.Errorf("%w: its address cannot be read; it is written like postgres://user@host:5432/name", ErrUnavailable)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	for name, value := range map[string]string{
		"application_name": "vitrine", "timezone": "UTC", "synchronous_commit": "on",
		"lock_timeout": lockTime, "idle_in_transaction_session_timeout": idleTime,
	} {
		config.RuntimeParams[name] = value
	}
	p := &postgres{config: config, leads: map[string]*sql.Conn{}}
	p.locks = stdlib.OpenDB(*config)
	if err := p.locks.PingContext(ctx); err != nil {
		p.close()
		return nil, unavailable(err)
	}
	return p, nil
}

func (p *postgres) open(_ int, readOnly bool) (*sql.DB, error) {
	c := p.config.Copy()
	if readOnly {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return stdlib.OpenDB(*c), nil
}

func (p *postgres) dialect(pool *sql.DB) gorm.Dialector {
	return &postgresDialect{gormpostgres.Dialector{Config: &gormpostgres.Config{Conn: pool}}}
}

// lockKey is the number of a named advisory lock of this program.
func lockKey(name string) int64 {
	sum := sha256.Sum256([]byte("vitrine " + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func (p *postgres) alone(tx *gorm.DB) error {
	return tx.Exec("SELECT pg_advisory_xact_lock(?)", lockKey("write")).Error
}

var (
	blob  = regexp.MustCompile(`\bBLOB\b`)
	fixed = regexp.MustCompile(`\bCHAR\(`)
	words = regexp.MustCompile(`\b(VARCHAR\(\d+\)|TEXT)`)
)

// column: bytes have another name; text of a fixed length would come back padded; and
// text is ordered by its bytes, as in SQLite, whatever the database's language.
func (p *postgres) column(ddl string) string {
	ddl = fixed.ReplaceAllString(blob.ReplaceAllString(ddl, "BYTEA"), "VARCHAR(")
	return words.ReplaceAllString(ddl, `$1 COLLATE "C"`)
}

func (p *postgres) beside(ctx context.Context, name string) (*sql.DB, error) {
	schema := pgx.Identifier{"vitrine_" + name}.Sanitize()
	err := p.exclusive(ctx, func(ctx context.Context) error {
		_, err := p.locks.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := p.config.Copy()
	c.RuntimeParams["search_path"] = schema
	return stdlib.OpenDB(*c), nil
}

func (p *postgres) forget(ctx context.Context, g *gorm.DB) error {
	return g.WithContext(ctx).Exec("VACUUM").Error
}

func (p *postgres) snapshot(context.Context, *gorm.DB, string) error { return ErrSnapshot }

func (p *postgres) lead(ctx context.Context, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if conn := p.leads[name]; conn != nil {
		if conn.PingContext(ctx) == nil {
			return true
		}
		conn.Close()
		delete(p.leads, name)
	}
	conn, err := p.locks.Conn(ctx)
	if err != nil {
		return false
	}
	var held bool
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockKey("lead "+name)).Scan(&held)
	if err != nil || !held {
		conn.Close()
		return false
	}
	p.leads[name] = conn
	return true
}

func (p *postgres) led(ctx context.Context, name string) (bool, error) {
	p.mu.Lock()
	mine := p.leads[name] != nil
	p.mu.Unlock()
	if mine {
		return true, nil
	}
	conn, err := p.locks.Conn(ctx)
	if err != nil {
		return false, unavailable(err)
	}
	defer conn.Close()
	var free bool
	if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockKey("lead "+name)).Scan(&free); err != nil || !free {
		return err == nil, err
	}
	_, err = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", lockKey("lead "+name))
	return false, err
}

// exclusiveKey marks the context of an exclusive fn.
type exclusiveKey struct{}

func (p *postgres) exclusive(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if ctx.Value(exclusiveKey{}) != nil {
		return fn(ctx)
	}
	conn, err := p.locks.Conn(ctx)
	if err != nil {
		return unavailable(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lockKey("start")); err != nil {
		return unavailable(err)
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", lockKey("start"))
		err = errors.Join(err, e)
	}()
	return fn(context.WithValue(ctx, exclusiveKey{}, true))
}

func (p *postgres) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.leads {
		conn.Close()
	}
	p.locks.Close()
}
