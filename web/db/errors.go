package db

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	gormpostgres "gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDialect is gorm's dialect of SQLite with a translation of this driver's errors: its
// own one knows only mattn's.
type sqliteDialect struct{ gormsqlite.Dialector }

// Translate makes gorm.ErrDuplicatedKey and gorm.ErrForeignKeyViolated of the driver's
// codes; the driver's error stays in the chain.
func (d *sqliteDialect) Translate(err error) error {
	var e *driver.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, err)
		}
	}
	return err
}

// postgresDialect is gorm's dialect of PostgreSQL with the driver's error kept in the chain.
type postgresDialect struct{ gormpostgres.Dialector }

// Translate is that of sqliteDialect.
func (d *postgresDialect) Translate(err error) error {
	switch state(err) {
	case "23505":
		return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
	case "23503":
		return fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, err)
	}
	return err
}

// state is PostgreSQL's code of an error, "" for any other.
func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// unavailable says what a server answered without what it was asked with: the error of
// a failed connection holds user and host.
func unavailable(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return fmt.Errorf("%w: it answered %q (%s)", ErrUnavailable, e.Message, e.Code)
	}
	return fmt.Errorf("%w: is it running, and is its address right?", ErrUnavailable)
}

// Translate maps the drivers' error codes to this package's sentinels and leaves
// every other error as it is.
func Translate(err error) error {
	if err == nil || errors.Is(err, ErrDiskFull) || errors.Is(err, ErrUnavailable) {
		return err
	}
	var e *driver.Error
	full := errors.Is(err, syscall.ENOSPC) || state(err) == "53100"
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL {
		full = true
	}
	if full {
		return fmt.Errorf("%w: nothing was written; make room on the disk and try again (%w)", ErrDiskFull, err)
	}
	var c *pgconn.ConnectError
	if errors.As(err, &c) {
		return unavailable(err)
	}
	return err
}
