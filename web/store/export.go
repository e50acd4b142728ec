package store

import (
	"context"
	"fmt"
)

// States of an export.
const (
	Queued    = "queued"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Export is one file of log entries, made or being made. Query is JSON; Problem is a
// closed code. First is the first index asked for, Size the size of the log that it
// was asked of.
type Export struct {
	ID        string `gorm:"primaryKey"`
	Workspace string
	Created   int64
	Finished  int64 // 0 = not yet
	Actor     string
	Format    string
	Language  string
	Query     string
	Status    string
	Done      int64
	Total     int64
	First     int64
	Size      int64
	Bytes     int64
	SHA256    string `gorm:"column:sha256"`
	Problem   string
	Job       int64  // River's number; 0 = made at once
	Decision  string // JSON
}

// AddExport inserts an export.
func (s *Store) AddExport(ctx context.Context, e *Export) error { return s.add(ctx, e) }

// SaveExport writes an export's state back; a cancelled one stays cancelled.
func (s *Store) SaveExport(ctx context.Context, e *Export) error {
	err := s.db.Tx(ctx).Model(&Export{}).
		Where("workspace = ? AND id = ? AND status <> ?", e.Workspace, e.ID, Cancelled).
		Select("finished", "status", "done", "total", "first", "size", "bytes", "sha256", "problem", "job").Updates(e).Error
	if err != nil {
		return fmt.Errorf("store: saving an export: %w", err)
	}
	return nil
}

// Export returns one export.
func (s *Store) Export(ctx context.Context, workspace, id string) (*Export, error) {
	return one[Export](s.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id))
}

// Exports lists exports, newest first, of one actor or ("") of all.
func (s *Store) Exports(ctx context.Context, workspace, before string, n int) (list []Export, more bool, err error) {
	n = limit(n)
	q := s.db.Read(ctx).Where("workspace = ?", workspace)
	if before != "" {
		q = q.Where("id < ?", before)
	}
	if err := q.Order("id DESC").Limit(n + 1).Find(&list).Error; err != nil {
		return nil, false, fmt.Errorf("store: listing exports: %w", err)
	}
	if len(list) > n {
		return list[:n], true, nil
	}
	return list, false, nil
}

// AbandonedExports returns up to n exports asked for at before (Unix milliseconds) or
// earlier that no job makes and nobody finished: after a start, those that an earlier
// process was making.
func (s *Store) AbandonedExports(ctx context.Context, workspace string, before int64, n int) (list []Export, err error) {
	err = s.db.Read(ctx).Where("workspace = ? AND job = 0 AND created <= ? AND status IN ?", workspace, before, []string{Queued, Running}).Order("id").Limit(limit(n)).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing exports: %w", err)
	}
	return list, nil
}

// CountFailedExports counts the exports that failed since a time (Unix milliseconds).
func (s *Store) CountFailedExports(ctx context.Context, workspace string, after int64) (n int64, err error) {
	err = s.db.Read(ctx).Model(&Export{}).Where("workspace = ? AND status = ? AND created >= ?", workspace, Failed, after).Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("store: counting exports: %w", err)
	}
	return n, nil
}
