package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"vitrine/audit"
)

// sequencer is the goroutine that includes events. Of several processes on one database
// the leader does; the others step in when an event has waited for longer than patience,
// as it does where the leader hangs. Any number of them may run on one log at once: the
// head is compared and swapped.
func (l *Log) sequencer() {
	defer l.done.Done()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.wake:
			select {
			case <-time.After(quiet):
			case <-l.stop:
				return
			}
		case <-tick.C:
		}
		if l.halted != nil || !l.db.Lead(context.Background(), "sequencer "+l.o.Workspace) && !l.overdue() {
			continue
		}
		l.setFault(l.Flush(context.Background()))
		l.signIdle()
	}
}

// overdue says whether the event that waits longest has waited, as seen from here, for
// longer than patience. Only the sequencer calls it.
func (l *Log) overdue() bool {
	first, err := l.pending(context.Background())
	switch {
	case err != nil || first == 0:
		l.waits = 0
		return false
	case first != l.waits:
		l.waits, l.since = first, time.Now()
		return false
	}
	return time.Since(l.since) > patience
}

// Flush includes every event that waits and signs. When it returns without an
// error, everything committed before the call has its index and its proof.
func (l *Log) Flush(ctx context.Context) error {
	if l.halted != nil {
		return fmt.Errorf("audit/store: sequencing: %w", l.halted)
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	for {
		waiting, err := l.pending(ctx)
		if err != nil || waiting == 0 {
			return err
		}
		if err := l.sequence(ctx); err != nil {
			return fmt.Errorf("audit/store: sequencing: %w", err)
		}
	}
}

// pending is the first number in the outbox, 0 where it is empty.
func (l *Log) pending(ctx context.Context) (int64, error) {
	var ids []int64
	err := l.db.Read(ctx).Model(&eventRow{}).Where("workspace = ? AND idx IS NULL", l.o.Workspace).Order("id").Limit(1).Pluck("id", &ids).Error
	if err != nil {
		return 0, fmt.Errorf("audit/store: reading the outbox: %w", err)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return ids[0], nil
}

// sequence gives up to one batch of events their indexes: marked rows, tiles, head
// and signed checkpoint, in one transaction.
func (l *Log) sequence(ctx context.Context) error {
	var head audit.Checkpoint
	var signed []byte
	err := l.db.Write(ctx, func(ctx context.Context) (err error) {
		_, head, signed, err = l.sequenceIn(ctx)
		return err
	})
	if err == nil && signed != nil {
		l.remember(head, signed)
	}
	return err
}

// sequenceIn does the work of sequence in the transaction of ctx. It returns how many
// events it included, and nothing else where there were none.
func (l *Log) sequenceIn(ctx context.Context) (n int, head audit.Checkpoint, signed []byte, err error) {
	tx := l.db.Tx(ctx)
	old, err := l.head(tx)
	if err != nil {
		return 0, head, nil, err
	}
	var rows []eventRow
	if err := tx.Select("id", "leaf", "leaf_hash", "code", "time", "model", "effect").Where("workspace = ? AND idx IS NULL", l.o.Workspace).Order("id").Limit(batch).Find(&rows).Error; err != nil {
		return 0, head, nil, err
	}
	if len(rows) == 0 {
		return 0, head, nil, nil
	}
	h := l.hashes(ctx)
	if err := h.matches(old); err != nil {
		return 0, head, nil, err
	}
	for i, r := range rows {
		if err := l.place(tx, h, r, old.Size+int64(i)); err != nil {
			return 0, head, nil, err
		}
	}
	if err := l.count(tx, rows, old.Size); err != nil {
		return 0, head, nil, err
	}
	size := old.Size + int64(len(rows))
	if err := h.save(tx, old.Size, size); err != nil {
		return 0, head, nil, err
	}
	if head, err = h.checkpoint(size, l.after(old.Time)); err != nil {
		return 0, head, nil, err
	}
	signed, err = l.swap(tx, old, head, l.Signer())
	return len(rows), head, signed, err
}

// place marks one event as entry n.
func (l *Log) place(tx *gorm.DB, h *hashes, r eventRow, n int64) error {
	leaf := audit.LeafHash(r.Leaf)
	if string(r.LeafHash) != string(leaf[:]) {
		return fmt.Errorf("a waiting event does not have the hash it was promised with: %w", ErrDamaged)
	}
	if err := h.add(n, leaf); err != nil {
		return err
	}
	res := tx.Model(&eventRow{}).Where("id = ? AND idx IS NULL", r.ID).Update("idx", n)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != 1 {
		return errors.New("an event was sequenced twice")
	}
	return nil
}

// head reads and verifies the log's head.
func (l *Log) head(tx *gorm.DB) (audit.Checkpoint, error) {
	var row logRow
	if err := tx.Where("workspace = ?", l.o.Workspace).Take(&row).Error; err != nil {
		return audit.Checkpoint{}, fmt.Errorf("reading the log's head: %w", err)
	}
	if err := l.refresh(tx, row); err != nil {
		return audit.Checkpoint{}, err
	}
	c, err := l.keys.Load().open(row.Checkpoint)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if c.Size != row.Size {
		return c, fmt.Errorf("the head's size is not that of its checkpoint: %w", ErrDamaged)
	}
	return c, nil
}

// matches checks that the tiles give the root that was signed, so that nothing is
// ever signed over a damaged right edge.
func (h *hashes) matches(c audit.Checkpoint) error {
	now, err := h.checkpoint(c.Size, c.Time)
	if err != nil {
		return err
	}
	if now.Root != c.Root {
		return fmt.Errorf("the tiles do not give the root signed at size %d: %w", c.Size, ErrDamaged)
	}
	return nil
}

// after is the present, but never before an earlier checkpoint: a clock set back
// must not make the log contradict itself.
func (l *Log) after(t time.Time) time.Time {
	if now := l.o.Now(); now.After(t) {
		return now
	}
	return t
}

// swap signs a new head and puts it in place of the old one.
func (l *Log) swap(tx *gorm.DB, old, now audit.Checkpoint, by note.Signer) ([]byte, error) {
	signed, err := now.Sign(by)
	if err != nil {
		return nil, err
	}
	res := tx.Model(&logRow{}).Where("workspace = ? AND size = ?", l.o.Workspace, old.Size).
		Updates(map[string]any{"size": now.Size, "checkpoint": signed})
	if res.Error != nil {
		return nil, res.Error
	}
	if res.RowsAffected != 1 {
		return nil, errors.New("another sequencer was first")
	}
	row := checkpointRow{Workspace: l.o.Workspace, Origin: l.Origin(), Size: now.Size, Time: audit.FormatTime(now.Time), Note: signed}
	return signed, tx.Create(&row).Error
}

// signIdle signs the unchanged tree again when the last checkpoint is old.
func (l *Log) signIdle() {
	l.mu.Lock()
	due := l.fault == nil && l.o.Now().Sub(l.signed) >= idle
	l.mu.Unlock()
	if !due {
		return
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	var head audit.Checkpoint
	var signed []byte
	err := l.db.Write(context.Background(), func(ctx context.Context) error {
		tx := l.db.Tx(ctx)
		old, err := l.head(tx)
		if err != nil {
			return err
		}
		head = old
		if l.o.Now().Sub(old.Time) < idle {
			return nil // another process signed meanwhile
		}
		if err := l.hashes(ctx).matches(old); err != nil {
			return err
		}
		head.Time = l.after(old.Time)
		signed, err = l.swap(tx, old, head, l.Signer())
		return err
	})
	if err == nil {
		l.remember(head, signed)
	}
	l.setFault(err)
}

// remember keeps the last signed head outside of the database; signed is nil where
// another process signed it, and kept it.
func (l *Log) remember(head audit.Checkpoint, signed []byte) {
	l.mu.Lock()
	l.signed = head.Time
	l.mu.Unlock()
	if signed == nil {
		return
	}
	if err := l.writeAnchor(signed); err != nil {
		l.o.Logger.Warn("audit log: the last checkpoint could not be kept beside the key", "error", err)
	}
}
