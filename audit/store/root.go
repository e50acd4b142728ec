package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"vitrine/audit"
)

// The root log is a log like any other, under a name that no workspace has. Its
// entries are the heads of the workspaces' logs, and its checkpoints are what
// witnesses cosign: one cosignature covers every workspace.

// RootName is the root log's name in place of a workspace.
const RootName = "root"

const anchored = "LOG.ANCHORED.OK"

// Anchored shows that a workspace's head is in the root log.
type Anchored struct {
	Leaf []byte // the root log's entry
	// Proof is its c2sp.org/tlog-proof@v1 file, in the newest checkpoint that
	// witnesses cosigned where it covers the entry, else in the newest.
	Proof       []byte
	VerifierKey string // of the root log
}

// Anchor makes sure that the head of a workspace's log, of the given id, is an entry of
// this log, and proves it. Nothing is written when its last entry about that log says
// the same already.
func (l *Log) Anchor(ctx context.Context, id string, head audit.Checkpoint) (*Anchored, error) {
	last, err := l.lastAnchor(ctx, id, nil)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err != nil || last.Event.Digest != head.TextDigest() {
		p, err := l.Append(ctx, audit.Event{Code: anchored, Actor: "system", Object: "log:" + id,
			Digest: head.TextDigest(), Numbers: map[string]int64{"size": head.Size}})
		if err != nil {
			return nil, err
		}
		if err := l.Flush(ctx); err != nil {
			return nil, err
		}
		if last, err = l.Event(ctx, p.Event); err != nil {
			return nil, err
		}
	}
	return l.anchoredAt(ctx, last)
}

func (l *Log) anchoredAt(ctx context.Context, e Entry) (*Anchored, error) {
	head, signed, err := l.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if row, err := l.lastWitnessed(ctx); err != nil {
		return nil, err
	} else if row != nil && row.Size > e.Index {
		if c, err := l.keys.Load().open(row.Note); err == nil {
			head, signed = c, row.Note
		}
	}
	proof, err := l.Prove(ctx, head.Size, e.Index)
	if err != nil {
		return nil, err
	}
	f := audit.ProofFile{Index: e.Index, Proof: proof, Checkpoint: signed}
	return &Anchored{Leaf: e.Leaf, Proof: f.Marshal(), VerifierKey: l.VerifierKey()}, nil
}

// lastAnchor is the newest entry about a log, below an index where one is given.
func (l *Log) lastAnchor(ctx context.Context, id string, below *int64) (Entry, error) {
	p, err := l.Events(ctx, Query{Kinds: []string{anchored}, Object: "log:" + id, Cursor: below, Limit: 1})
	if err != nil {
		return Entry{}, err
	}
	if len(p.Entries) == 0 {
		return Entry{}, fmt.Errorf("audit/store: no head of this log is anchored: %w", ErrNotFound)
	}
	return p.Entries[0], nil
}

// witnessedRow is a checkpoint with the cosignatures that came for it.
type witnessedRow struct {
	ID        int64  `gorm:"primaryKey;autoIncrement"`
	Workspace string `gorm:"not null;size:64;index:idx_audit_witnessed,priority:1"`
	Origin    string `gorm:"not null;size:128;index:idx_audit_witnessed,priority:2"`
	Size      int64  `gorm:"not null"`
	Time      string `gorm:"not null;size:24"` // of the newest cosignature
	Witnesses string `gorm:"not null"`         // names of their keys, separated by blanks
	Note      []byte `gorm:"not null"`
}

func (witnessedRow) TableName() string { return "audit_witnessed" }

// SaveWitnessed keeps a checkpoint of this log with its verified cosignatures.
func (l *Log) SaveWitnessed(ctx context.Context, signed []byte, by []audit.Cosignature) error {
	c, err := l.keys.Load().open(signed)
	if err != nil {
		return fmt.Errorf("audit/store: keeping cosignatures: %w", err)
	}
	row := witnessedRow{Workspace: l.o.Workspace, Origin: c.Origin, Size: c.Size, Note: signed}
	var newest time.Time
	for i, w := range by {
		if i > 0 {
			row.Witnesses += " "
		}
		row.Witnesses += w.Witness
		if w.Time.After(newest) {
			newest = w.Time
		}
	}
	row.Time = audit.FormatTime(newest)
	err = l.db.Write(ctx, func(ctx context.Context) error { return l.db.Tx(ctx).Create(&row).Error })
	if err != nil {
		return fmt.Errorf("audit/store: keeping cosignatures: %w", err)
	}
	return nil
}

// lastWitnessed is nil where there is none.
func (l *Log) lastWitnessed(ctx context.Context) (*witnessedRow, error) {
	var row witnessedRow
	err := l.db.Read(ctx).Where("workspace = ? AND origin = ?", l.o.Workspace, l.Origin()).Order("id DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit/store: reading cosignatures: %w", err)
	}
	return &row, nil
}

// External is the last statement about a log that others hold.
type External struct {
	Size      int64 // entries of the workspace's log that it covers
	Time      time.Time
	Witnesses string // names, separated by blanks
}

// LastExternal returns what witnesses last cosigned about the workspace's log of an
// id; ErrNotFound while they have cosigned nothing that covers it.
func (l *Log) LastExternal(ctx context.Context, id string) (External, error) {
	row, err := l.lastWitnessed(ctx)
	if err != nil {
		return External{}, err
	}
	if row == nil {
		return External{}, fmt.Errorf("audit/store: nothing is cosigned: %w", ErrNotFound)
	}
	e, err := l.lastAnchor(ctx, id, &row.Size)
	if err != nil {
		return External{}, err
	}
	at, err := audit.ParseTime(row.Time)
	if err != nil {
		return External{}, err
	}
	return External{Size: e.Event.Numbers["size"], Time: at, Witnesses: row.Witnesses}, nil
}

// seenRow is what this installation cosigned last of another's log, as its witness.
type seenRow struct {
	Origin string `gorm:"primaryKey;size:256"`
	Size   int64  `gorm:"not null"`
	Time   string `gorm:"not null;size:24"`
	Note   []byte `gorm:"not null"`
}

func (seenRow) TableName() string { return "audit_seen" }

// Seen keeps what a witness cosigned, in the database d.
type Seen struct{ d DB }

// NewSeen returns it.
func NewSeen(d DB) Seen { return Seen{d} }

// Swap calls next with the last checkpoint cosigned of an origin (nil: none) and puts
// its answer in place, both in one transaction; an error of next changes nothing.
func (s Seen) Swap(ctx context.Context, origin string, at time.Time, next func(before []byte) (signed []byte, size int64, err error)) error {
	return s.d.Write(ctx, func(ctx context.Context) error {
		tx := s.d.Tx(ctx)
		var row seenRow
		err := tx.Where("origin = ?", origin).Take(&row).Error
		known := err == nil
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return err
		}
		signed, size, err := next(row.Note)
		if err != nil {
			return err
		}
		now := seenRow{Origin: origin, Size: size, Time: audit.FormatTime(at), Note: signed}
		if !known {
			return tx.Create(&now).Error
		}
		// Compared and swapped: another process may have cosigned in between.
		res := tx.Model(&seenRow{}).Where("origin = ? AND size = ?", origin, row.Size).
			Updates(map[string]any{"size": now.Size, "time": now.Time, "note": now.Note})
		if res.Error == nil && res.RowsAffected != 1 {
			return fmt.Errorf("audit/store: %w", audit.ErrStale)
		}
		return res.Error
	})
}

// Latest is the newest head of a workspace's log that is in the root log.
type Latest struct {
	Size   int64
	Digest string // of the checkpoint's text
	Anchored
}

// LatestAnchored returns it for the log of an id, ErrNotFound while there is none.
func (l *Log) LatestAnchored(ctx context.Context, id string) (*Latest, error) {
	e, err := l.lastAnchor(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	a, err := l.anchoredAt(ctx, e)
	if err != nil {
		return nil, err
	}
	return &Latest{Size: e.Event.Numbers["size"], Digest: e.Event.Digest, Anchored: *a}, nil
}
