// Package store keeps policy versions, accounts, sessions and API keys in the
// server's database, and the keys of data subjects in a database of their own,
// keys.db or PostgreSQL's schema vitrine_keys, which backups of the other leave out.
//
// Methods that write join the transaction of the context, or make one of their
// own where there is none.
package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"

	"vitrine/web/db"
)

// write runs fn in the transaction of ctx, or in a new one.
func write(ctx context.Context, d *db.DB, fn func(ctx context.Context, tx *gorm.DB) error) error {
	if d.InWrite(ctx) {
		return fn(ctx, d.Tx(ctx))
	}
	return d.Write(ctx, func(ctx context.Context) error { return fn(ctx, d.Tx(ctx)) })
}

// Times are kept as milliseconds since 1970 in UTC, zero times as 0.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// isDuplicate reports a broken unique constraint.
func isDuplicate(err error) bool { return errors.Is(err, gorm.ErrDuplicatedKey) }

// splitRoles is the inverse of strings.Join(roles, " ").
func splitRoles(s string) []string { return strings.Fields(s) }
