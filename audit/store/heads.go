package store

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// Head is a checkpoint as it was signed. ID grows with every one.
type Head struct {
	ID     int64
	Size   int64
	Time   string
	Signed []byte
}

// Heads lists the checkpoints signed under the present origin, newest first, those
// before an ID where it is not 0.
func (l *Log) Heads(ctx context.Context, before int64, limit int) (list []Head, more bool, err error) {
	if limit < 1 || limit > MaxPage {
		return nil, false, fmt.Errorf("audit/store: a page has 1 to %d checkpoints: %w", MaxPage, ErrQuery)
	}
	tx := l.heads(ctx)
	if before != 0 {
		tx = tx.Where("id < ?", before)
	}
	var rows []checkpointRow
	if err := tx.Order("id DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return nil, false, fmt.Errorf("audit/store: reading checkpoints: %w", err)
	}
	if more = len(rows) > limit; more {
		rows = rows[:limit]
	}
	for _, r := range rows {
		list = append(list, Head{r.ID, r.Size, r.Time, r.Note})
	}
	return list, more, nil
}

// Between proves that the tree of old leaves is a prefix of the tree of now leaves and
// returns both roots. ErrNotFound for sizes that the log does not have.
func (l *Log) Between(ctx context.Context, old, now int64) (from, to tlog.Hash, p tlog.TreeProof, err error) {
	head, _, err := l.Checkpoint(ctx)
	if err != nil {
		return from, to, nil, err
	}
	if old < 0 || old > now || now > head.Size {
		return from, to, nil, fmt.Errorf("audit/store: sizes %d and %d of a log of %d: %w", old, now, head.Size, ErrNotFound)
	}
	h := l.hashes(ctx)
	if from, err = tlog.TreeHash(old, h); err == nil {
		to, err = tlog.TreeHash(now, h)
	}
	if err == nil && old > 0 {
		p, err = tlog.ProveTree(now, old, h)
	}
	if err != nil {
		return from, to, nil, err
	}
	return from, to, p, audit.VerifyConsistency(p, audit.Checkpoint{Size: old, Root: from}, audit.Checkpoint{Size: now, Root: to})
}
