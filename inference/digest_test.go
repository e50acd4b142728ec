package inference

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

// slowFS holds back every file that is opened a second time, as hashing does, until it is let go.
type slowFS struct {
	fs.FS
	seen map[string]bool
	gate chan struct{}
}

func (s slowFS) Open(name string) (fs.File, error) {
	if s.seen[name] {
		<-s.gate
	}
	if name == "model.safetensors" {
		s.seen[name] = true
	}
	return s.FS.Open(name)
}

func (s slowFS) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.FS, name) }

func copied(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("pretrained/digits-resnet")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAnswerBeforeDigest: a model answers while its files are hashed, and Info waits for the digest.
func TestAnswerBeforeDigest(t *testing.T) {
	s := slowFS{os.DirFS(copied(t)), map[string]bool{}, make(chan struct{})}
	m, err := OpenFS(s, "slow")
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, m, []Example{{Pixels: make([]float32, 28*28), Shape: []int{1, 28, 28}}}, RunSpec{})
	if d := m.Describe(); d.Digest != "" || d.Family != "resnet" {
		t.Errorf("described before the hashing: %q, %q", d.Digest, d.Family)
	}
	info := make(chan Info)
	go func() { info <- m.Info() }()
	select {
	case <-info:
		t.Error("Info did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	close(s.gate)
	if got, want := (<-info).Digest, openPretrained(t, "digits-resnet").Info().Digest; got != want || len(got) != 64 {
		t.Errorf("digest %s, expected %s", got, want)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestChangedFiles: a checkpoint that changes between reading and hashing has no digest and answers no more.
func TestChangedFiles(t *testing.T) {
	dir := copied(t)
	s := slowFS{os.DirFS(dir), map[string]bool{}, make(chan struct{})}
	m, err := OpenFS(s, "changed")
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "model.safetensors"), later, later); err != nil {
		t.Fatal(err)
	}
	close(s.gate)
	if d := m.Info().Digest; d != "" {
		t.Errorf("digest %s", d)
	}
	_, err = m.Run(context.Background(), []Example{{Pixels: make([]float32, 28*28), Shape: []int{1, 28, 28}}}, RunSpec{})
	if !errors.Is(err, ErrModel) {
		t.Errorf("run: %v", err)
	}
	if _, err := OpenFS(fstest.MapFS{}, "none"); !errors.Is(err, ErrModel) {
		t.Errorf("an empty folder: %v", err)
	}
}
