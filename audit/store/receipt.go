package store

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// checkpoint computes the unsigned checkpoint of the first size leaves.
func (h *hashes) checkpoint(size int64, at time.Time) (audit.Checkpoint, error) {
	root, err := tlog.TreeHash(size, h)
	return audit.Checkpoint{Origin: h.log.Origin(), Size: size, Root: root, Time: at}, err
}

// Checkpoint returns the log's head, parsed and as the signed note.
func (l *Log) Checkpoint(ctx context.Context) (audit.Checkpoint, []byte, error) {
	var row logRow
	if err := l.db.Read(ctx).Where("workspace = ?", l.o.Workspace).Take(&row).Error; err != nil {
		return audit.Checkpoint{}, nil, fmt.Errorf("audit/store: reading the head: %w", err)
	}
	c, err := l.keys.Load().open(row.Checkpoint)
	if err != nil {
		return c, nil, fmt.Errorf("audit/store: %w: %w", ErrDamaged, err)
	}
	return c, row.Checkpoint, nil
}

// Prove returns the inclusion proof of entry index in the tree of size leaves.
func (l *Log) Prove(ctx context.Context, size, index int64) (tlog.RecordProof, error) {
	if index < 0 || index >= size {
		return nil, fmt.Errorf("audit/store: entry %d of %d: %w", index, size, ErrNotFound)
	}
	return tlog.ProveRecord(size, index, l.hashes(ctx))
}

// Consistency returns the proof that the tree of old leaves is a prefix of the tree
// of size leaves.
func (l *Log) Consistency(ctx context.Context, size, old int64) (tlog.TreeProof, error) {
	if old < 0 || old > size {
		return nil, fmt.Errorf("audit/store: sizes %d and %d: %w", old, size, ErrNotFound)
	}
	if old == 0 {
		return nil, nil
	}
	return tlog.ProveTree(size, old, l.hashes(ctx))
}

// Receipt returns the receipt of an event: the promise, and once the event is
// included its index with a proof in the present tree. ErrNotFound for an unknown
// event. Who may see it is for the caller to decide (Entry.Event.Actor).
func (l *Log) Receipt(ctx context.Context, eventID string) (audit.Receipt, error) {
	e, err := l.Event(ctx, eventID)
	if err != nil {
		return audit.Receipt{}, err
	}
	if e.Damaged {
		return audit.Receipt{}, fmt.Errorf("audit/store: entry %d: %w", e.Index, ErrDamaged)
	}
	at, err := audit.ParseTime(e.Event.Time)
	if err != nil {
		return audit.Receipt{}, err
	}
	// Ed25519 is deterministic: the same promise as at the time of the action, or
	// the one that the present key makes in place of a retired one.
	p, err := audit.NewPromise(e.Event.ID, e.Hash, at, l.Signer())
	if err != nil {
		return audit.Receipt{}, err
	}
	p.URL = l.o.ReceiptURL(e.Event.ID)
	r := audit.Receipt{Promise: p}
	if !e.Included {
		return r, nil
	}
	head, signed, err := l.Checkpoint(ctx)
	if err != nil {
		return r, err
	}
	return l.include(ctx, r, e, head, signed)
}

// ReceiptAt is the receipt of an included event in the tree of a checkpoint signed
// before, named by its size and the digest of its text. ErrNotFound when there is no
// such checkpoint, or the event came after it.
func (l *Log) ReceiptAt(ctx context.Context, eventID string, size int64, digest string) (audit.Receipt, error) {
	r, err := l.Receipt(ctx, eventID)
	if err != nil {
		return r, err
	}
	if r.Index == nil || *r.Index >= size {
		return r, fmt.Errorf("audit/store: the event is not in the tree of %d: %w", size, ErrNotFound)
	}
	var rows []checkpointRow
	if err := l.heads(ctx).Where("size = ?", size).Order("id").Limit(MaxPage).Find(&rows).Error; err != nil {
		return r, fmt.Errorf("audit/store: reading checkpoints: %w", err)
	}
	for _, row := range rows {
		head, err := l.keys.Load().open(row.Note)
		if err != nil || head.TextDigest() != digest {
			continue
		}
		e, err := l.Event(ctx, eventID)
		if err != nil {
			return r, err
		}
		return l.include(ctx, r, e, head, row.Note)
	}
	return r, fmt.Errorf("audit/store: checkpoint of size %d: %w", size, ErrNotFound)
}

// include completes a receipt with the proof in the tree of a checkpoint.
func (l *Log) include(ctx context.Context, r audit.Receipt, e Entry, head audit.Checkpoint, signed []byte) (audit.Receipt, error) {
	proof, err := l.Prove(ctx, head.Size, e.Index)
	if err != nil {
		return r, err
	}
	if err := audit.VerifyInclusion(proof, head, e.Index, e.Hash); err != nil {
		return r, fmt.Errorf("audit/store: %w: %w", ErrDamaged, err)
	}
	r.Status, r.Index, r.Size, r.Proof, r.Checkpoint = audit.Included, &e.Index, head.Size, audit.EncodeProof(proof), string(signed)
	return r, nil
}
