package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"vitrine/audit"
)

// Inspect opens a log only to look at it: nothing is included, signed or made, and
// Append answers ErrClosed. It is for a copy of the database. ErrNotFound where the
// database holds no log of the workspace; audit.ErrKey where the key is missing or of
// another log.
func Inspect(ctx context.Context, d DB, o Options) (*Log, error) {
	o.Now, o.Logger = time.Now, slog.New(slog.DiscardHandler)
	l := &Log{db: d, o: o, stop: make(chan struct{})}
	l.closing.Do(func() { close(l.stop) })
	var row logRow
	err := d.Read(ctx).Where("workspace = ?", o.Workspace).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("audit/store: the log of the workspace: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("audit/store: reading the head: %w", err)
	}
	s, err := audit.LoadSigner(l.keyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("audit/store: the log's key file is missing: %w", audit.ErrKey)
	}
	if err != nil {
		return nil, err
	}
	if s.VerifierKey != row.VerifierKey {
		return nil, fmt.Errorf("audit/store: the key file belongs to another log, or followed the database's by rotation: %w", audit.ErrKey)
	}
	return l, l.use(ctx, s)
}

// Kept returns the last checkpoint that this host signed, kept beside the key; ok is
// false where there is none.
func (l *Log) Kept() (c audit.Checkpoint, ok bool, err error) { return l.readAnchor() }

// Behind says whether a checkpoint of this log, signed by one of its keys, holds what the
// database does not: the database is older, or tells another story.
func (l *Log) Behind(ctx context.Context, c audit.Checkpoint) (bool, error) {
	return l.rolledBack(ctx, c)
}

// Open verifies a signed checkpoint of this log, as others keep it.
func (l *Log) Open(signed []byte) (audit.Checkpoint, error) { return l.keys.Load().open(signed) }

// Keep puts a signed checkpoint beside the key, as the last one signed.
func (l *Log) Keep(signed []byte) error { return l.writeAnchor(signed) }
