//go:build unix

package weights

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestCutShort: a mapped file that is cut short while in use gives an error, to readers and to the hash in assembly.
func TestCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := openSource(os.DirFS(filepath.Dir(path)), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := src.Read(make([]byte, 1<<16), 1<<19); !errors.Is(err, ErrFormat) {
		t.Errorf("reading: %v", err)
	}
	h := sha256.New()
	if err := view(src, 0, 1<<20, func(part []byte) { h.Write(part) }); !errors.Is(err, ErrFormat) {
		t.Errorf("hashing: %v", err)
	}
}
