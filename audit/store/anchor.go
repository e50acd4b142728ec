package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"
	"gorm.io/gorm"

	"vitrine/audit"
)

// The anchor is the last signed checkpoint, kept beside the key and outside of the
// database: it is how a database put back from an old backup is noticed.
func (l *Log) anchorFile() string {
	return filepath.Join(l.o.KeysDir, "last-checkpoint-"+l.o.Workspace)
}

func (l *Log) writeAnchor(signed []byte) error {
	f, err := os.CreateTemp(l.o.KeysDir, ".last-checkpoint-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(signed)
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), l.anchorFile())
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// readAnchor returns the kept checkpoint; ok is false where there is none.
func (l *Log) readAnchor() (c audit.Checkpoint, ok bool, err error) {
	data, err := os.ReadFile(l.anchorFile())
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	if c, err = l.keys.Load().open(data); err != nil {
		return c, false, fmt.Errorf("the file %s does not hold a checkpoint of this log; if it was damaged by accident, remove it: %w", filepath.Base(l.anchorFile()), err)
	}
	return c, true, nil
}

// open loads or makes key and head, and compares the head with the anchor.
func (l *Log) open(ctx context.Context) error {
	var row logRow
	err := l.db.Read(ctx).Where("workspace = ?", l.o.Workspace).Take(&row).Error
	exists := err == nil
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	if exists {
		if err := l.settle(row); err != nil {
			return err
		}
	}
	if err := l.openKey(ctx, !exists); err != nil {
		return err
	}
	if exists && row.VerifierKey != l.VerifierKey() {
		return fmt.Errorf("the key file %s belongs to another log than the database: %w", filepath.Base(l.keyFile()), audit.ErrKey)
	}
	anchor, ok, err := l.readAnchor()
	if err != nil {
		return err
	}
	size, back := row.Size, false
	if exists && ok {
		back, err = l.rolledBack(ctx, anchor)
		if err != nil {
			return err
		}
	} else if ok {
		back = anchor.Size > 0
	}
	switch {
	case back && l.o.AcceptRestore:
		return l.restart(ctx, exists, size, anchor.Size)
	case back:
		l.halted = fmt.Errorf("%w: the database holds %d entries, %d were signed; put back the newest backup, or accept the loss when starting, which is recorded", ErrRolledBack, size, anchor.Size)
		return nil
	case !exists:
		return l.create(ctx)
	}
	return nil
}

func (l *Log) openKey(ctx context.Context, may bool) error {
	s, err := audit.OpenSigner(l.keyFile(), may)
	if err != nil {
		return err
	}
	if err := l.use(ctx, s); err != nil {
		return err
	}
	return l.writePublic(s)
}

// rolledBack says whether the database is behind the anchor or beside it.
func (l *Log) rolledBack(ctx context.Context, anchor audit.Checkpoint) (bool, error) {
	head, err := l.head(l.db.Read(ctx))
	if errors.Is(err, ErrDamaged) {
		return false, nil // Verify names it; opening must not fail for it
	}
	if err != nil {
		return false, err
	}
	if head.Size < anchor.Size {
		return true, nil
	}
	l.mu.Lock()
	l.signed = head.Time
	l.mu.Unlock()
	then, err := l.hashes(ctx).checkpoint(anchor.Size, anchor.Time)
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil && then.Root != anchor.Root, err
}

// create starts a log with its first event.
func (l *Log) create(ctx context.Context) error {
	head := audit.Checkpoint{Origin: l.Origin(), Root: audit.EmptyRoot(), Time: l.o.Now()}
	signed, err := head.Sign(l.Signer())
	if err != nil {
		return err
	}
	err = l.db.Write(ctx, func(ctx context.Context) error {
		row := logRow{Workspace: l.o.Workspace, Origin: l.Origin(), VerifierKey: l.VerifierKey(), Checkpoint: signed, Created: audit.FormatTime(head.Time)}
		if err := l.db.Tx(ctx).Create(&row).Error; err != nil {
			return err
		}
		_, err := l.Append(ctx, audit.Event{Code: "LOG.CREATED.OK", Actor: "system", Object: "log:" + l.ID()})
		return err
	})
	if err == nil {
		l.remember(head, signed)
	}
	return err
}

// restart goes on after a restore: the old key is retired, the leaves that are left
// are signed under a new origin, and the loss becomes an event.
func (l *Log) restart(ctx context.Context, exists bool, size, signedSize int64) error {
	suffix := ".retired-" + ulid.Make().String()
	for _, f := range []string{l.keyFile(), l.anchorFile()} {
		if err := os.Rename(f, f+suffix); err != nil {
			return err
		}
	}
	if err := l.openKey(ctx, true); err != nil {
		return err
	}
	if !exists {
		if err := l.create(ctx); err != nil {
			return err
		}
	}
	head, err := l.hashes(ctx).checkpoint(size, l.o.Now())
	if err != nil {
		return err
	}
	signed, err := head.Sign(l.Signer())
	if err != nil {
		return err
	}
	err = l.db.Write(ctx, func(ctx context.Context) error {
		tx := l.db.Tx(ctx)
		if err := tx.Model(&logRow{}).Where("workspace = ?", l.o.Workspace).
			Updates(map[string]any{"origin": l.Origin(), "verifier_key": l.VerifierKey(), "size": size, "checkpoint": signed}).Error; err != nil {
			return err
		}
		_, err := l.Append(ctx, audit.Event{Code: "LOG.RESTORED.OK", Actor: "system", Object: "log:" + l.ID(),
			Numbers: map[string]int64{"size": size, "signed_size": signedSize}})
		return err
	})
	if err == nil {
		l.remember(head, signed)
	}
	return err
}
