package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"vitrine/policy"
	"vitrine/web/db"
)

// Version returns one stored version with its snapshot. ErrNotFound.
func (p *Policies) Version(ctx context.Context, workspace string, number int64) (Version, *policy.Snapshot, error) {
	return p.one(ctx, "workspace = ? AND number = ?", workspace, number)
}

// VersionByHash finds a version by the hash that decisions carry. ErrNotFound.
func (p *Policies) VersionByHash(ctx context.Context, workspace, hash string) (Version, *policy.Snapshot, error) {
	return p.one(ctx, "workspace = ? AND hash = ?", workspace, hash)
}

func (p *Policies) one(ctx context.Context, where string, args ...any) (Version, *policy.Snapshot, error) {
	var row versionRow
	err := p.db.Read(ctx).Where(where, args...).Limit(1).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Version{}, nil, ErrNotFound
	}
	if err != nil {
		return Version{}, nil, fmt.Errorf("policy: reading a version: %w", db.Translate(err))
	}
	s, err := row.snapshot()
	return row.version(), s, err
}

func (r versionRow) version() Version {
	return Version{Number: r.Number, Hash: r.Hash, Author: r.Author, Reason: r.Reason, Created: fromMillis(r.Created), Rules: r.Rules}
}

// Versions lists versions, newest first, below the number before (0: from the
// newest), at most limit of them and never more than 200.
func (p *Policies) Versions(ctx context.Context, workspace string, before int64, limit int) ([]Version, error) {
	q := p.db.Read(ctx).Omit("content").Where("workspace = ?", workspace).Order("number DESC").Limit(min(max(limit, 1), 200))
	if before > 0 {
		q = q.Where("number < ?", before)
	}
	var rows []versionRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("policy: listing versions: %w", db.Translate(err))
	}
	out := make([]Version, len(rows))
	for i, r := range rows {
		out[i] = r.version()
	}
	return out, nil
}
