package db

import (
	"errors"
	"fmt"
	"syscall"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialector is gorm's dialect of SQLite with a translation of this driver's errors: its
// own one knows only mattn's.
type dialector struct{ gormsqlite.Dialector }

// Translate makes gorm.ErrDuplicatedKey and gorm.ErrForeignKeyViolated of the driver's
// codes; the driver's error stays in the chain.
func (d *dialector) Translate(err error) error {
	var e *sqlite.Error
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

// Translate maps the driver's error codes to this package's sentinels and leaves
// every other error as it is.
func Translate(err error) error {
	if err == nil || errors.Is(err, ErrDiskFull) {
		return err
	}
	var e *sqlite.Error
	full := errors.Is(err, syscall.ENOSPC)
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL {
		full = true
	}
	if full {
		return fmt.Errorf("%w: nothing was written; make room on the disk and try again (%w)", ErrDiskFull, err)
	}
	return err
}
