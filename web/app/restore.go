package app

import (
	"archive/zip"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"vitrine/audit"
	auditstore "vitrine/audit/store"
	policystore "vitrine/policy/store"
	"vitrine/web/db"
	"vitrine/web/store"
)

var (
	// ErrBackup: the file is no backup, or was changed since it was made.
	ErrBackup = errors.New("app: not a sound backup")
	// ErrOlder: the backup is older than what the log has signed since.
	ErrOlder = errors.New("app: the backup is older than the last signed checkpoint")
)

// RestoreCauses are the reasons for which an older database may be put back: a closed
// list, because the log holds it.
var RestoreCauses = []string{"disk-lost", "database-damaged", "operator-error", "attack", "test"}

// RestoreRequest says what to put back, and where.
type RestoreRequest struct {
	Data    string // data folder; no server runs on it
	RootKey string // "" = DIR/keys/root.key
	File    string // a backup, not encrypted
	// Newer are signed checkpoints of the log that others hold: a witness, a delivered
	// pack. A backup behind one of them, or behind the one kept beside the log's key, is
	// refused with ErrOlder unless Cause says why it is put back all the same.
	Newer [][]byte
	Cause string
}

// RestoreView says what was put back.
type RestoreView struct {
	Content string `json:"content"`
	Size    int64  `json:"size"`           // entries of the log in it
	Lost    int64  `json:"lost,omitempty"` // entries signed since, which are gone
}

var backupKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$`)

// Bounds of what is read of a backup's list.
const (
	maxBackupList  = 1 << 20
	maxBackupFiles = 1000
)

// Restore puts a backup into a data folder that has no database, or no keys, yet; files
// that are there already are never written over. A database is put into place only when
// its hash, its pages and every entry of its log are sound, and it is an entry of the log
// then that it was restored, from which size, and why.
//
// Errors: [ErrBackup]; [ErrOlder]; ErrExists; ErrInput; db.ErrDamaged, db.ErrLocked,
// db.ErrNewerSchema, db.ErrDiskFull; audit.ErrKey where the log's key is not there: keys
// are restored first.
func Restore(ctx context.Context, r RestoreRequest) (*RestoreView, error) {
	if r.Cause != "" && !slices.Contains(RestoreCauses, r.Cause) {
		return nil, fail(ErrInput, "use one of "+strings.Join(RestoreCauses, ", "), "%q is not a cause", clip(r.Cause))
	}
	z, err := zip.OpenReader(r.File)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	defer z.Close()
	m, err := readBackup(&z.Reader)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.Data, 0o700); err != nil {
		return nil, fmt.Errorf("app: making the data folder: %w", err)
	}
	dir, err := os.MkdirTemp(r.Data, ".restore-*")
	if err != nil {
		return nil, fmt.Errorf("app: restoring: %w", db.Translate(err))
	}
	defer os.RemoveAll(dir)
	if err := extract(&z.Reader, m, dir); err != nil {
		return nil, err
	}
	if m.Content == "keys" {
		return restoreKeys(r.Data, dir, m)
	}
	return restoreDatabase(ctx, r, dir)
}

// readBackup reads and checks backup.json against the files that are there.
func readBackup(z *zip.Reader) (*backupManifest, error) {
	broken := func(what string) (*backupManifest, error) { return nil, fmt.Errorf("%w: %s", ErrBackup, what) }
	if len(z.File) > maxBackupFiles {
		return broken("it holds too many files")
	}
	names := map[string]bool{}
	for _, f := range z.File {
		if names[f.Name] {
			return broken("it holds a file twice")
		}
		names[f.Name] = true
	}
	f, err := z.Open(backupList)
	if err != nil {
		return broken("it has no " + backupList)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxBackupList+1))
	if err != nil || len(raw) > maxBackupList {
		return broken(backupList + " cannot be read")
	}
	var m backupManifest
	if err := json.Unmarshal(raw, &m); err != nil || m.Format != backupFormat {
		return broken(backupList + " is not of the format " + backupFormat)
	}
	if len(m.Files) != len(z.File)-1 {
		return broken("it holds files that its list does not name")
	}
	for _, x := range m.Files {
		key, inKeys := strings.CutPrefix(x.Name, backupKeysDir)
		sound := m.Content == "database" && x.Name == db.FileName ||
			m.Content == "keys" && (x.Name == policystore.KeysFileName || inKeys && backupKey.MatchString(key))
		if !sound || !names[x.Name] || x.Bytes < 0 {
			return broken("its list names a file that is not of it")
		}
		delete(names, x.Name)
	}
	if len(m.Files) == 0 {
		return broken("it is empty")
	}
	return &m, nil
}

// extract writes the members into dir, each with the size and hash that the list says.
func extract(z *zip.Reader, m *backupManifest, dir string) error {
	for _, x := range m.Files {
		if err := extractMember(z, x, filepath.Join(dir, filepath.FromSlash(x.Name))); err != nil {
			return err
		}
	}
	return nil
}

func extractMember(z *zip.Reader, x backupMember, path string) (err error) {
	in, err := z.Open(x.Name)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, x.Name, err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("app: restoring: %w", db.Translate(err))
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("app: restoring: %w", db.Translate(err))
	}
	var corrupt flate.CorruptInputError
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(in, x.Bytes+1))
	closed := errors.Join(out.Sync(), out.Close())
	switch {
	case errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &corrupt):
		return fmt.Errorf("%w: %s: %w", ErrBackup, x.Name, err)
	case err != nil || closed != nil:
		return fmt.Errorf("app: restoring: %w", db.Translate(errors.Join(err, closed)))
	case n != x.Bytes || hex.EncodeToString(sum.Sum(nil)) != x.SHA256:
		return fmt.Errorf("%w: %s is not the file that was backed up", ErrBackup, x.Name)
	}
	return nil
}

// restoreKeys puts the keys into place that are not there.
func restoreKeys(data, dir string, m *backupManifest) (*RestoreView, error) {
	for _, x := range m.Files {
		if _, err := os.Stat(filepath.Join(data, filepath.FromSlash(x.Name))); err == nil {
			return nil, fail(ErrExists, "move the keys away first if they are to be replaced", "the data folder has the file %s already", x.Name)
		}
	}
	if err := os.MkdirAll(filepath.Join(data, "keys"), 0o700); err != nil {
		return nil, fmt.Errorf("app: restoring keys: %w", err)
	}
	for _, x := range m.Files {
		name := filepath.FromSlash(x.Name)
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(data, name)); err != nil {
			return nil, fmt.Errorf("app: restoring keys: %w", err)
		}
	}
	return &RestoreView{Content: m.Content, Size: m.Size}, nil
}

func restoreDatabase(ctx context.Context, r RestoreRequest, dir string) (*RestoreView, error) {
	file := filepath.Join(r.Data, db.FileName)
	if _, err := os.Stat(file); err == nil {
		return nil, fail(ErrExists, "stop the server and move "+db.FileName+" away first", "the data folder has a database already")
	}
	v := &RestoreView{Content: "database"}
	signed, err := inspectCopy(ctx, r, dir, v)
	if err != nil {
		return nil, err
	}
	if signed > 0 {
		v.Lost = max(signed-v.Size, 0)
		if r.Cause == "" {
			return nil, fail(ErrOlder, "find a newer backup, or say why this one is put back: --cause "+strings.Join(RestoreCauses, "|"),
				"it holds %d entries and %d were signed", v.Size, signed)
		}
	}
	if err := os.Rename(filepath.Join(dir, db.FileName), file); err != nil {
		return nil, fmt.Errorf("app: putting the database into place: %w", err)
	}
	a, err := New(ctx, Config{Data: r.Data, RootKey: r.RootKey, OneShot: true, AcceptRestore: signed > 0})
	if err != nil {
		return nil, err
	}
	cause := r.Cause
	if cause == "" {
		cause = "newest"
	}
	_, err = a.log.Append(ctx, audit.Event{Code: "BACKUP.RESTORED.OK", Actor: "system", Object: "log:" + a.log.ID(),
		Codes: map[string]string{"cause": cause}, Numbers: map[string]int64{"size": v.Size, "signed_size": max(signed, v.Size)}})
	if err := errors.Join(err, a.Close(ctx)); err != nil {
		return nil, err
	}
	return v, nil
}

// inspectCopy checks the database in dir and returns the size of the largest checkpoint
// that it does not hold, 0 where it holds all.
func inspectCopy(ctx context.Context, r RestoreRequest, dir string, v *RestoreView) (signed int64, err error) {
	keys := filepath.Join(r.Data, "keys")
	d, err := db.Open(ctx, dir)
	if err != nil {
		return 0, err
	}
	known, err := store.New(d).Workspace(ctx, defaultWorkspace)
	if err := errors.Join(err, d.Close()); err != nil {
		return 0, fmt.Errorf("%w: it holds no workspace: %w", ErrBackup, err)
	}
	if v.Size, err = checkCopy(ctx, dir, known.ID, keys); err != nil {
		return 0, err
	}
	if d, err = db.Open(ctx, dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, name := range []string{known.ID, auditstore.RootName} {
		l, err := auditstore.Inspect(ctx, d, auditstore.Options{Workspace: name, KeysDir: keys})
		if errors.Is(err, auditstore.ErrNotFound) && name == auditstore.RootName {
			continue
		}
		if err != nil {
			return 0, err
		}
		if c, ok, err := l.Kept(); err != nil {
			return 0, err
		} else if ok {
			behind, err := l.Behind(ctx, c)
			if err != nil {
				return 0, err
			}
			if behind {
				signed = max(signed, v.Size, 1)
			}
			if behind && name == known.ID {
				signed = max(signed, c.Size)
			}
		}
		if name == known.ID {
			if signed, err = newer(ctx, l, r.Newer, signed); err != nil {
				return 0, err
			}
		}
	}
	return signed, nil
}

// newer compares the log with what others hold of it. The newest checkpoint that the
// database is behind is kept beside the key, so that the log knows it when it opens.
func newer(ctx context.Context, l *auditstore.Log, notes [][]byte, signed int64) (int64, error) {
	for _, note := range notes {
		c, err := l.Open(note)
		if err != nil {
			return 0, fail(ErrInput, "give a checkpoint or a pack of this log", "a newer checkpoint is not signed by this log's key")
		}
		behind, err := l.Behind(ctx, c)
		if err != nil {
			return 0, err
		}
		if behind && c.Size > signed {
			if err := l.Keep(note); err != nil {
				return 0, fmt.Errorf("app: keeping the newer checkpoint: %w", err)
			}
			signed = c.Size
		}
	}
	return signed, nil
}
