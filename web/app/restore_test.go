package app

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"vitrine/policy/identity"
	"vitrine/web/db"
)

// made returns a backup's bytes.
func made(t *testing.T, a *App, content string) []byte {
	t.Helper()
	f, err := a.Backup(t.Context(), a.Local(), BackupRequest{Content: content})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	a := openFile(t, dir)
	predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")})
	raw := made(t, a, "database")
	for role, auth := range map[string]string{"analyst": identity.AuthPassword, "admin": identity.AuthAPIKey} {
		c := caller(t, a, role)
		c.Auth = auth
		if _, err := a.Backup(t.Context(), c, BackupRequest{Content: "keys"}); err == nil {
			t.Errorf("%s got the keys over the network", role)
		}
	}
	if n := count(events(t, a), "BACKUP.MADE.OK"); n != 1 {
		t.Errorf("%d backups in the log, of 1", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".backup-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	// A byte of the log changed behind its back: no backup is handed out.
	err := a.db.Write(t.Context(), func(ctx context.Context) error {
		return a.db.Tx(ctx).Exec("UPDATE audit_events SET actor = 'user:x' WHERE idx = 1").Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Backup(t.Context(), a.Local(), BackupRequest{Content: "database"}); err == nil {
		t.Error("a log that does not verify was backed up")
	}
	// Any byte of the file changed: nothing is put back.
	for _, at := range []int{100, len(raw) / 2, len(raw) - 30} {
		bad := bytes.Clone(raw)
		bad[at] ^= 1
		path := filepath.Join(t.TempDir(), "b.zip")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		data := t.TempDir()
		_, err := Restore(t.Context(), RestoreRequest{Data: data, File: path})
		if !errors.Is(err, ErrBackup) {
			t.Errorf("byte %d: %v", at, err)
		}
		if _, err := os.Stat(filepath.Join(data, db.FileName)); err == nil {
			t.Errorf("byte %d: something was put back", at)
		}
	}
}

func FuzzReadBackup(f *testing.F) {
	for _, list := range []string{
		`{"format":"vitrine-backup/1","content":"database","files":[{"name":"vitrine.db","bytes":1,"sha256":"x"}]}`,
		`{"format":"vitrine-backup/1","content":"keys","files":[{"name":"keys/../../x","bytes":1,"sha256":"x"}]}`,
		`{"format":"vitrine-backup/1","content":"keys","files":[{"name":"keys/root.key","bytes":1,"sha256":"x"}]}`, `{`,
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, data := range map[string]string{"vitrine.db": "d", backupList: list} {
			w, _ := z.Create(name)
			io.WriteString(w, data)
		}
		z.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		m, err := readBackup(z)
		if err != nil {
			return
		}
		for _, x := range m.Files {
			if !filepath.IsLocal(filepath.FromSlash(x.Name)) {
				t.Errorf("%q leaves the folder", x.Name)
			}
		}
	})
}
