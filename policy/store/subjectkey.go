package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"vitrine/policy/privacy"
	"vitrine/web/db"
)

// KeysFileName is the database of wrapped keys inside the data folder.
const KeysFileName = "keys.db"

// SubjectKeys implements privacy.KeyStore over a database of its own, keys.db or
// PostgreSQL's schema vitrine_keys: a backup of the other one must not bring an erased
// person's key back. Writes that come together share one commit. Do not call it from
// inside a transaction of the other database: it waits for the disk.
type SubjectKeys struct {
	main  *db.DB
	db    *gorm.DB
	queue chan keyWrite
	done  chan struct{}

	mu     sync.RWMutex // guards closed against a send on queue
	closed bool
}

var _ privacy.KeyStore = (*SubjectKeys)(nil)

type keyWrite struct {
	fn     func(tx *gorm.DB) error
	result chan error
}

// subjectKeyRow is a wrapped key.
type subjectKeyRow struct {
	Workspace string `gorm:"primaryKey;size:64"`
	Name      string `gorm:"primaryKey;size:80"`
	Wrapped   []byte `gorm:"not null"`
	Created   int64  `gorm:"not null"`
}

func (subjectKeyRow) TableName() string { return "subject_keys" }

// keyGroup is the most writes that share a commit.
const keyGroup = 256

// OpenSubjectKeys opens the keys beside a database, made where missing. The caller
// closes them before it.
func OpenSubjectKeys(ctx context.Context, d *db.DB) (*SubjectKeys, error) {
	g, err := d.Beside(ctx, "keys")
	if err != nil {
		return nil, fmt.Errorf("store: opening the subject keys: %w", err)
	}
	k := &SubjectKeys{main: d, db: g, queue: make(chan keyWrite, keyGroup), done: make(chan struct{})}
	err = d.Exclusive(ctx, func(ctx context.Context) error {
		if m := g.WithContext(ctx).Migrator(); !m.HasTable(&subjectKeyRow{}) {
			return m.CreateTable(&subjectKeyRow{})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: preparing the subject keys: %w", errors.Join(db.Translate(err), k.disconnect()))
	}
	go k.loop()
	return k, nil
}

func (k *SubjectKeys) disconnect() error {
	pool, err := k.db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Close ends the writer and closes the database.
func (k *SubjectKeys) Close() error {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return nil
	}
	k.closed = true
	close(k.queue)
	k.mu.Unlock()
	<-k.done
	return k.disconnect()
}

// loop commits what is waiting, all in one transaction. Each statement touches
// one row and can fail only when the disk does, so one failure fails the group.
func (k *SubjectKeys) loop() {
	defer close(k.done)
	for first := range k.queue {
		group := []keyWrite{first}
		for len(group) < keyGroup {
			select {
			case w, ok := <-k.queue:
				if ok {
					group = append(group, w)
					continue
				}
			default:
			}
			break
		}
		err := k.commit(group)
		for _, w := range group {
			w.result <- err
		}
	}
}

func (k *SubjectKeys) commit(group []keyWrite) error {
	return db.Translate(k.db.Transaction(func(tx *gorm.DB) error {
		for _, w := range group {
			if err := w.fn(tx); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (k *SubjectKeys) write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	w := keyWrite{fn, make(chan error, 1)}
	k.mu.RLock()
	if k.closed {
		k.mu.RUnlock()
		return db.ErrClosed
	}
	select {
	case k.queue <- w:
		k.mu.RUnlock()
	case <-ctx.Done():
		k.mu.RUnlock()
		return ctx.Err()
	}
	return <-w.result
}

// GetKey implements privacy.KeyStore.
func (k *SubjectKeys) GetKey(ctx context.Context, workspace, name string) ([]byte, bool, error) {
	var row subjectKeyRow
	err := k.db.WithContext(ctx).Where("workspace = ? AND name = ?", workspace, name).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, false, nil
	}
	return row.Wrapped, err == nil, db.Translate(err)
}

// PutKey implements privacy.KeyStore.
func (k *SubjectKeys) PutKey(ctx context.Context, workspace, name string, wrapped []byte) ([]byte, error) {
	var inForce subjectKeyRow
	err := k.write(ctx, func(tx *gorm.DB) error {
		row := subjectKeyRow{workspace, name, wrapped, time.Now().UnixMilli()}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
			return err
		}
		return tx.Where("workspace = ? AND name = ?", workspace, name).Take(&inForce).Error
	})
	return inForce.Wrapped, err
}

// DeleteKey implements privacy.KeyStore: afterwards no file of this database holds the
// key.
func (k *SubjectKeys) DeleteKey(ctx context.Context, workspace, name string) error {
	err := k.write(ctx, func(tx *gorm.DB) error {
		return tx.Where("workspace = ? AND name = ?", workspace, name).Delete(&subjectKeyRow{}).Error
	})
	if err != nil {
		return err
	}
	return k.main.Forget(ctx, k.db)
}

// Snapshot writes the keys as they are now to a new file: see db.DB.Snapshot.
func (k *SubjectKeys) Snapshot(ctx context.Context, path string) error {
	return k.main.Snapshot(ctx, k.db, path)
}
