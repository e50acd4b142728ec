package db

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// acquire takes the exclusive lock on the file at path, creating it where missing.
// Windows drops the lock with the process, so a crash leaves nothing to clean.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("db: opening the lock file: %w", err)
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if err != nil {
		f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, fmt.Errorf("%w: stop the other one, or use another data folder", ErrLocked)
		}
		return nil, fmt.Errorf("db: locking the data folder: %w", err)
	}
	return f, nil
}

func release(f *os.File) {
	if f != nil {
		f.Close()
	}
}
