package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"vitrine/policy/privacy"
	"vitrine/web/db"
)

// KeysFileName is the database of wrapped keys inside the data folder.
const KeysFileName = "keys.db"

// SubjectKeys implements privacy.KeyStore over keys.db, a database of its own:
// a backup of the other one must not bring an erased person's key back. Writes
// that come together share one commit. Do not call it from inside a transaction
// of the other database: it waits for the disk.
type SubjectKeys struct {
	pool  *sql.DB
	queue chan keyWrite
	done  chan struct{}

	mu     sync.RWMutex // guards closed against a send on queue
	closed bool
}

var _ privacy.KeyStore = (*SubjectKeys)(nil)

type keyWrite struct {
	fn     func(tx *sql.Tx) error
	result chan error
}

const keyGroup = 256

// OpenSubjectKeys opens DIR/keys.db, made with mode 0600 where missing. The
// caller holds the folder's lock.
func OpenSubjectKeys(dir string) (*SubjectKeys, error) {
	path, err := filepath.Abs(filepath.Join(dir, KeysFileName))
	if err != nil {
		return nil, fmt.Errorf("store: opening keys.db: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: opening keys.db: %w", err)
	}
	f.Close()
	pool, err := sql.Open(db.DriverName, keysDSN(path))
	if err != nil {
		return nil, fmt.Errorf("store: opening keys.db: %w", err)
	}
	pool.SetMaxOpenConns(4)
	_, err = pool.Exec(`CREATE TABLE IF NOT EXISTS subject_keys (
		workspace VARCHAR(64) NOT NULL, name VARCHAR(80) NOT NULL, wrapped BLOB NOT NULL, created BIGINT NOT NULL,
		PRIMARY KEY (workspace, name))`)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("store: preparing keys.db: %w", db.Translate(err))
	}
	k := &SubjectKeys{pool: pool, queue: make(chan keyWrite, keyGroup), done: make(chan struct{})}
	go k.loop()
	return k, nil
}

func keysDSN(path string) string {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range []string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "temp_store(MEMORY)"} {
		q.Add("_pragma", p)
	}
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
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
	return k.pool.Close()
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
	tx, err := k.pool.Begin()
	if err != nil {
		return db.Translate(err)
	}
	for _, w := range group {
		if err := w.fn(tx); err != nil {
			return db.Translate(errors.Join(err, tx.Rollback()))
		}
	}
	return db.Translate(tx.Commit())
}

func (k *SubjectKeys) write(ctx context.Context, fn func(tx *sql.Tx) error) error {
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
	var wrapped []byte
	err := k.pool.QueryRowContext(ctx, `SELECT wrapped FROM subject_keys WHERE workspace = ? AND name = ?`, workspace, name).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return wrapped, err == nil, err
}

// PutKey implements privacy.KeyStore.
func (k *SubjectKeys) PutKey(ctx context.Context, workspace, name string, wrapped []byte) ([]byte, error) {
	var inForce []byte
	err := k.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO subject_keys (workspace, name, wrapped, created) VALUES (?, ?, ?, ?)
			ON CONFLICT (workspace, name) DO NOTHING`, workspace, name, wrapped, time.Now().UnixMilli())
		if err != nil {
			return err
		}
		return tx.QueryRow(`SELECT wrapped FROM subject_keys WHERE workspace = ? AND name = ?`, workspace, name).Scan(&inForce)
	})
	return inForce, err
}

// DeleteKey implements privacy.KeyStore. The row is overwritten (secure_delete)
// and the write-ahead log emptied, so that the file holds no copy.
func (k *SubjectKeys) DeleteKey(ctx context.Context, workspace, name string) error {
	err := k.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM subject_keys WHERE workspace = ? AND name = ?`, workspace, name)
		return err
	})
	if err != nil {
		return err
	}
	_, err = k.pool.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}
