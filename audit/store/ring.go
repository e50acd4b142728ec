package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/oklog/ulid/v2"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"vitrine/audit"
)

// ring is the log's keys: the one that signs, and those that signed before it.
type ring struct {
	signer  *audit.Signer
	verify  note.Verifier
	retired []retiredKey // newest first
}

// retiredKey vouches for checkpoints of at most size leaves.
type retiredKey struct {
	verify note.Verifier
	size   int64
}

// open verifies a checkpoint of this log, signed by the present key or by the one of
// its time.
func (r *ring) open(signed []byte) (audit.Checkpoint, error) {
	c, err := audit.OpenCheckpoint(signed, r.verify)
	if err == nil {
		return c, nil
	}
	for _, k := range r.retired {
		if c, e := audit.OpenCheckpoint(signed, k.verify); e == nil && c.Size <= k.size {
			return c, nil
		}
	}
	return c, err
}

// keyRow is a key that was followed by another, with the statement that says so.
type keyRow struct {
	ID          int64  `gorm:"primaryKey;autoIncrement"`
	Workspace   string `gorm:"not null;size:64;index:idx_audit_key,priority:1"`
	Origin      string `gorm:"not null;size:128;index:idx_audit_key,priority:2"`
	VerifierKey string `gorm:"not null;size:256"`
	Size        int64  `gorm:"not null"`
	Note        []byte `gorm:"not null"`
}

func (keyRow) TableName() string { return "audit_keys" }

// maxKeys bounds the keys that a log has had.
const maxKeys = 1000

func (l *Log) keyRows(ctx context.Context, origin string) (rows []keyRow, err error) {
	err = l.db.Read(ctx).Where("workspace = ? AND origin = ?", l.o.Workspace, origin).Order("id").Limit(maxKeys).Find(&rows).Error
	return rows, err
}

// Successions returns the statements by which the log's keys followed each other,
// oldest first.
func (l *Log) Successions(ctx context.Context) ([][]byte, error) {
	rows, err := l.keyRows(ctx, l.Origin())
	if err != nil {
		return nil, fmt.Errorf("audit/store: reading keys: %w", err)
	}
	out := make([][]byte, len(rows))
	for i, r := range rows {
		out[i] = r.Note
	}
	return out, nil
}

// use makes s the log's key and loads those before it.
func (l *Log) use(ctx context.Context, s *audit.Signer) error {
	r := &ring{signer: s}
	var err error
	if r.verify, err = s.Verifier(); err != nil {
		return err
	}
	rows, err := l.keyRows(ctx, s.Name())
	if err != nil {
		return err
	}
	for i := len(rows) - 1; i >= 0; i-- {
		v, err := audit.ParseVerifierKey([]byte(rows[i].VerifierKey))
		if err != nil {
			continue // Verify names the checkpoints that then cannot be opened
		}
		r.retired = append(r.retired, retiredKey{v, rows[i].Size})
	}
	l.keys.Store(r)
	return nil
}

func (l *Log) nextFile() string { return l.keyFile() + ".next" }

// settle finishes a rotation that a crash cut short: the database names the key in
// the file of the next one.
func (l *Log) settle(row logRow) error {
	next, err := audit.LoadSigner(l.nextFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if next.VerifierKey != row.VerifierKey {
		return os.Remove(l.nextFile()) // the rotation was not committed
	}
	return l.promote()
}

// promote puts the next key's file into place and keeps the old one beside it.
func (l *Log) promote() error {
	err := os.Rename(l.keyFile(), l.keyFile()+".retired-"+ulid.Make().String())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(l.nextFile(), l.keyFile())
}

// writePublic puts the public half beside the key, for whoever is to check packs.
func (l *Log) writePublic(s *audit.Signer) error {
	public := strings.TrimSuffix(l.keyFile(), ".key") + ".pub"
	if data, err := os.ReadFile(public); err == nil && string(data) == s.VerifierKey+"\n" {
		return nil
	}
	if err := os.WriteFile(public, []byte(s.VerifierKey+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the public key: %w", err)
	}
	return nil
}

// Rotate makes another key the log's. The old key signs everything that waits, the
// event that announces the new one, and a statement of succession; from then on the
// new key signs, under the same origin. e is completed with code, object and digest.
// All of it is one transaction; the old key stays beside the new one, retired.
func (l *Log) Rotate(ctx context.Context, e audit.Event) error {
	if l.halted != nil {
		return fmt.Errorf("audit/store: rotating the key: %w", l.halted)
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	if err := os.Remove(l.nextFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit/store: rotating the key: %w", err)
	}
	old := l.keys.Load()
	next, err := audit.CreateSuccessor(l.nextFile(), l.Origin())
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(next.VerifierKey))
	e.Code, e.Object, e.Digest = "LOG.ROTATED.OK", "log:"+l.ID(), hex.EncodeToString(sum[:])
	var head audit.Checkpoint
	var signed []byte
	err = l.db.Write(ctx, func(ctx context.Context) error {
		if _, err := l.Append(ctx, e); err != nil {
			return err
		}
		for {
			n, _, _, err := l.sequenceIn(ctx)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
		head, signed, err = l.succeed(ctx, old.signer, next)
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("audit/store: rotating the key: %w", err), os.Remove(l.nextFile()))
	}
	if err := errors.Join(l.promote(), l.use(ctx, next), l.writePublic(next)); err != nil {
		return fmt.Errorf("audit/store: rotating the key: the log goes on under the new one, but its files could not be put into place: %w", err)
	}
	l.remember(head, signed)
	return nil
}

// succeed signs the present tree with the next key and writes the statement.
func (l *Log) succeed(ctx context.Context, old, next *audit.Signer) (audit.Checkpoint, []byte, error) {
	tx := l.db.Tx(ctx)
	head, err := l.head(tx)
	if err != nil {
		return head, nil, err
	}
	head.Time = l.after(head.Time)
	statement, err := audit.Succession{Old: old.VerifierKey, New: next.VerifierKey, Time: head.Time}.Sign(old, next)
	if err != nil {
		return head, nil, err
	}
	row := keyRow{Workspace: l.o.Workspace, Origin: l.Origin(), VerifierKey: old.VerifierKey, Size: head.Size, Note: statement}
	if err := tx.Create(&row).Error; err != nil {
		return head, nil, err
	}
	if err := tx.Model(&logRow{}).Where("workspace = ?", l.o.Workspace).Update("verifier_key", next.VerifierKey).Error; err != nil {
		return head, nil, err
	}
	signed, err := l.swap(tx, head, head, next)
	return head, signed, err
}

// refresh loads the key again when another process on the same database and key
// folder rotated it.
func (l *Log) refresh(tx *gorm.DB, row logRow) error {
	if row.VerifierKey == l.VerifierKey() || row.Origin != l.Origin() {
		return nil
	}
	s, err := audit.LoadSigner(l.keyFile())
	if err != nil {
		return err
	}
	if s.VerifierKey != row.VerifierKey {
		return fmt.Errorf("the key file %s is not the key that the log goes on under: %w", filepath.Base(l.keyFile()), audit.ErrKey)
	}
	return l.use(tx.Statement.Context, s)
}
