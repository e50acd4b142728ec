package store

import (
	"context"
	"errors"
)

// Workspace is one tenant: everything else belongs to exactly one.
type Workspace struct {
	ID      string `gorm:"primaryKey"`
	Slug    string
	Created int64
}

// Workspace returns the workspace with a slug, or [ErrNotFound].
func (s *Store) Workspace(ctx context.Context, slug string) (*Workspace, error) {
	return one[Workspace](s.db.Read(ctx).Where("slug = ?", slug))
}

// EnsureWorkspace returns the workspace with fresh.Slug, adding fresh where there is
// none yet; made says whether it did.
func (s *Store) EnsureWorkspace(ctx context.Context, fresh Workspace) (w *Workspace, made bool, err error) {
	w, err = s.Workspace(ctx, fresh.Slug)
	if !errors.Is(err, ErrNotFound) {
		return w, false, err
	}
	if err := s.add(ctx, &fresh); err != nil {
		return nil, false, err
	}
	return &fresh, true, nil
}
