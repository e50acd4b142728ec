package app

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vitrine/audit"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	policystore "vitrine/policy/store"
	"vitrine/web/db"
)

// A backup is a ZIP of files and of backup.json, which names each with its hash: the
// database in one, the keys without which nothing in it can be read in another, so that
// the two can be kept apart. Restore (restore.go) is the reader.

const (
	backupFormat  = "vitrine-backup/1"
	backupList    = "backup.json"
	backupKeysDir = "keys/"
)

// BackupContents are what a backup can hold.
var BackupContents = []string{"database", "keys"}

// BackupRequest asks for a backup.
type BackupRequest struct {
	Content   string `json:"content" schema:"enum=database|keys"`
	RequestID string `json:"-"`
}

// backupManifest is backup.json.
type backupManifest struct {
	Format  string         `json:"format"`
	Content string         `json:"content"`
	Created time.Time      `json:"created"`
	Log     string         `json:"log"`  // its origin
	Size    int64          `json:"size"` // entries of the signed log in the database
	Files   []backupMember `json:"files"`
}

type backupMember struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// BackupFile is a finished backup. Closing it removes the server's copy.
type BackupFile struct {
	*os.File
	Name    string
	SHA256  string
	Created time.Time
	dir     string
}

// Close closes and removes the file.
func (f *BackupFile) Close() error { return errors.Join(f.File.Close(), os.RemoveAll(f.dir)) }

// Backup copies the database, or the keys, as they are at one moment and while others
// write. A database is checked before it is handed out: its pages, and every entry of
// the log in it. Keys go to whoever is at the machine only.
//
// Errors: [*Denied]; db.ErrSnapshot on PostgreSQL; db.ErrDiskFull; auditstore.ErrDamaged
// naming the entry when the copy's log does not verify.
func (a *App) Backup(ctx context.Context, c identity.Caller, r BackupRequest) (_ *BackupFile, err error) {
	codes := map[string]string{}
	if r.Content == "database" || r.Content == "keys" {
		codes["content"] = r.Content
	}
	q := ask{caller: c, action: policy.KeyManage, request: requestID(r.RequestID), denied: "BACKUP.MADE.DENIED",
		event: func(e *audit.Event) { e.Codes = codes }}
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(codes) == 0 {
		return nil, fail(ErrInput, "use database or keys", "%q is nothing that a backup holds", clip(r.Content))
	}
	if r.Content == "keys" && c.Auth != identity.AuthLocal {
		return nil, fail(ErrInput, "run vitrine backup --keys on the machine itself", "keys are not sent over the network")
	}
	dir, err := os.MkdirTemp(a.db.Dir(), ".backup-*")
	if err != nil {
		return nil, fmt.Errorf("app: making a backup: %w", db.Translate(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	m := &backupManifest{Format: backupFormat, Content: r.Content, Created: a.now().Truncate(time.Second), Log: a.log.Origin()}
	files, err := a.backupFiles(ctx, dir, m)
	if err != nil {
		return nil, err
	}
	f, err := writeBackup(dir, m, files)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = a.log.Append(ctx, audit.Event{Code: "BACKUP.MADE.OK", Actor: c.ID, Auth: c.Auth, Request: q.request, Action: string(policy.KeyManage),
			Object: "log:" + a.log.ID(), Decision: decisionLeaf(d), Codes: codes, Numbers: map[string]int64{"size": m.Size, "bytes": info.Size()}})
	}
	if err != nil {
		return nil, errors.Join(err, f.File.Close())
	}
	return f, nil
}

// backupFiles makes copies in dir of what m.Content names: name in the backup → path.
func (a *App) backupFiles(ctx context.Context, dir string, m *backupManifest) (map[string]string, error) {
	if m.Content == "database" {
		path := filepath.Join(dir, db.FileName)
		if err := a.db.Snapshot(ctx, nil, path); err != nil {
			return nil, err
		}
		size, err := checkCopy(ctx, dir, a.workspace, a.keysDir())
		m.Size = size
		return map[string]string{db.FileName: path}, err
	}
	path := filepath.Join(dir, policystore.KeysFileName)
	if err := a.keys.Snapshot(ctx, path); err != nil {
		return nil, err
	}
	files := map[string]string{policystore.KeysFileName: path}
	list, err := os.ReadDir(a.keysDir())
	if err != nil {
		return nil, fmt.Errorf("app: reading the key folder: %w", err)
	}
	for _, f := range list {
		if f.Type().IsRegular() && backupKey.MatchString(f.Name()) {
			files[backupKeysDir+f.Name()] = filepath.Join(a.keysDir(), f.Name())
		}
	}
	if a.config.RootKey != "" {
		files[backupKeysDir+"root.key"] = a.config.RootKey
	}
	return files, nil
}

// checkCopy reads the whole database in a folder of its own and every entry of the log in
// it, and returns the log's size.
func checkCopy(ctx context.Context, dir, workspace, keys string) (size int64, err error) {
	if err := db.Check(ctx, filepath.Join(dir, db.FileName)); err != nil {
		return 0, err
	}
	d, err := db.Open(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	l, err := auditstore.Inspect(ctx, d, auditstore.Options{Workspace: workspace, KeysDir: keys})
	if err != nil {
		return 0, err
	}
	h, err := l.Verify(ctx)
	if err == nil && !h.OK {
		err = fmt.Errorf("app: the log in the copy does not verify, first at entry %d (%s): %w", h.FirstBad, h.Problems[0].Code, auditstore.ErrDamaged)
	}
	return h.Size, err
}

// writeBackup writes the ZIP into dir.
func writeBackup(dir string, m *backupManifest, files map[string]string) (_ *BackupFile, err error) {
	out, err := os.OpenFile(filepath.Join(dir, "backup.zip"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("app: writing a backup: %w", db.Translate(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("app: writing a backup: %w", db.Translate(err)), out.Close())
		}
	}()
	sum := sha256.New()
	z := zip.NewWriter(io.MultiWriter(out, sum))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		member, err := addMember(z, name, files[name])
		if err != nil {
			return nil, err
		}
		m.Files = append(m.Files, member)
	}
	w, err := z.Create(backupList)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(w).Encode(m); err != nil {
		return nil, err
	}
	if err := errors.Join(z.Close(), out.Sync()); err != nil {
		return nil, err
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	name := "vitrine-" + m.Content + "-" + strings.NewReplacer("-", "", ":", "").Replace(m.Created.Format(time.RFC3339)) + ".zip"
	return &BackupFile{File: out, Name: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Created: m.Created, dir: dir}, nil
}

func addMember(z *zip.Writer, name, path string) (backupMember, error) {
	f, err := os.Open(path)
	if err != nil {
		return backupMember{}, err
	}
	defer f.Close()
	w, err := z.Create(name)
	if err != nil {
		return backupMember{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), f)
	return backupMember{name, n, hex.EncodeToString(sum.Sum(nil))}, err
}
