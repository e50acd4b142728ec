package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"gorm.io/gorm"

	"vitrine/audit"
)

// Leaves reads what matches q from the oldest on, in pages, so that any number of
// entries takes the memory of one page. Order, cursor and limit of q do not matter.
func (l *Log) Leaves(ctx context.Context, q Query) iter.Seq2[audit.Leaf, error] {
	q.Ascending, q.Cursor, q.Limit = true, nil, MaxPage
	return func(yield func(audit.Leaf, error) bool) {
		for {
			tx, err := l.filter(l.db.Read(ctx), q)
			if err != nil {
				yield(audit.Leaf{}, err)
				return
			}
			if q.Cursor != nil {
				tx = tx.Where("idx > ?", *q.Cursor)
			}
			var rows []eventRow
			if err := tx.Select("idx", "leaf").Order("idx").Limit(MaxPage).Find(&rows).Error; err != nil {
				yield(audit.Leaf{}, fmt.Errorf("audit/store: reading entries: %w", err))
				return
			}
			for _, r := range rows {
				if !yield(audit.Leaf{Index: *r.Idx, Bytes: r.Leaf}, nil) {
					return
				}
			}
			if len(rows) < MaxPage {
				return
			}
			q.Cursor = rows[len(rows)-1].Idx
		}
	}
}

// Range reads the entries first to last.
func (l *Log) Range(ctx context.Context, first, last int64) iter.Seq2[audit.Leaf, error] {
	return l.Leaves(ctx, Query{First: &first, Last: &last})
}

// Span returns the smallest range of indexes that holds every entry with a time in
// [from, to); zero times do not bound. ok is false when there is none. Entries of
// the range may lie outside by the length of a transaction: indexes are given after
// the action, in the order of commits.
func (l *Log) Span(ctx context.Context, from, to time.Time) (first, last int64, ok bool, err error) {
	c, err := l.Counts(ctx, Query{After: from, Before: to})
	return c.First, c.Last, c.Total > 0, err
}

// HeadBefore returns the newest signed checkpoint of at most size leaves under the
// present origin, nil if there is none.
func (l *Log) HeadBefore(ctx context.Context, size int64) ([]byte, error) {
	var row checkpointRow
	err := l.heads(ctx).Where("size <= ? AND size > 0", size).Order("size DESC, id DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit/store: reading checkpoints: %w", err)
	}
	return row.Note, nil
}

// HourlyHeads returns, of the checkpoints with first to last leaves, the last one of
// each hour in which any was signed, oldest first.
func (l *Log) HourlyHeads(ctx context.Context, first, last int64) ([][]byte, error) {
	const hour = len("2006-01-02T15")
	var out [][]byte
	var previous string
	for after := int64(0); ; {
		var rows []checkpointRow
		if err := l.heads(ctx).Where("id > ? AND size >= ? AND size <= ?", after, first, last).Order("id").Limit(MaxPage).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("audit/store: reading checkpoints: %w", err)
		}
		for _, r := range rows {
			if len(r.Time) < hour {
				continue // damaged; Verify names it
			}
			if r.Time[:hour] == previous {
				out[len(out)-1] = r.Note
			} else {
				out = append(out, r.Note)
			}
			previous = r.Time[:hour]
		}
		if len(rows) < MaxPage {
			return out, nil
		}
		after = rows[len(rows)-1].ID
	}
}

// heads selects the workspace's checkpoints under the present origin.
func (l *Log) heads(ctx context.Context) *gorm.DB {
	return l.db.Read(ctx).Where("workspace = ? AND origin = ?", l.o.Workspace, l.Origin())
}
