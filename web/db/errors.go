package db

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

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
