package privacy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// memory is a KeyStore in memory.
type memory struct {
	mu   sync.Mutex
	keys map[[2]string][]byte
}

func (m *memory) GetKey(_ context.Context, w, n string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[[2]string{w, n}]
	return k, ok, nil
}

func (m *memory) PutKey(_ context.Context, w, n string, wrapped []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.keys[[2]string{w, n}]; ok {
		return k, nil
	}
	m.keys[[2]string{w, n}] = wrapped
	return wrapped, nil
}

func (m *memory) DeleteKey(_ context.Context, w, n string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, [2]string{w, n})
	return nil
}

func TestVault(t *testing.T) {
	ctx := context.Background()
	root, err := LoadRootKey(filepath.Join(t.TempDir(), "keys", "root"), true)
	if err != nil {
		t.Fatal(err)
	}
	store := &memory{keys: map[[2]string][]byte{}}
	v, err := NewVault(root, store)
	if err != nil {
		t.Fatal(err)
	}
	ref := Ref{"w1", NewSubject(), "r1", "input"}
	plain := []byte("a secret sentence")
	sealed, err := v.Seal(ctx, ref, plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain[:6]) {
		t.Error("the plain text shows")
	}
	// Another process with the same root key reads it.
	again, _ := NewVault(root, store)
	if got, err := again.Open(ctx, ref, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	for name, wrong := range map[string]Ref{
		"workspace": {"w2", ref.Subject, "r1", "input"}, "subject": {"w1", NewSubject(), "r1", "input"},
		"record": {"w1", ref.Subject, "r2", "input"}, "field": {"w1", ref.Subject, "r1", "output"},
	} {
		if _, err := v.Open(ctx, wrong, sealed); !errors.Is(err, ErrSealed) && !errors.Is(err, ErrErased) {
			t.Errorf("opened under another %s: %v", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := v.Open(ctx, ref, bad); !errors.Is(err, ErrSealed) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	for i := range sealed {
		if _, err := v.Open(ctx, ref, sealed[:i]); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut to %d: %v", i, err)
		}
	}
	// Another root key is refused and destroys nothing.
	other, _ := NewVault(bytes.Repeat([]byte{7}, KeySize), store)
	if _, err := other.Open(ctx, ref, sealed); !errors.Is(err, ErrRootKey) {
		t.Errorf("another root key: %v", err)
	}
	if err := v.Erase(ctx, "w1", ref.Subject); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(ctx, ref, sealed); !errors.Is(err, ErrErased) {
		t.Errorf("after erasure: %v", err)
	}
}

func TestPseudonym(t *testing.T) {
	ctx := context.Background()
	v, _ := NewVault(bytes.Repeat([]byte{1}, KeySize), &memory{keys: map[[2]string][]byte{}})
	a, err := v.Pseudonym(ctx, "w1", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := v.Pseudonym(ctx, "w1", "Anna")
	c, _ := v.Pseudonym(ctx, "w2", "Anna")
	d, _ := v.Pseudonym(ctx, "w1", "Bert")
	if a != b || a == c || a == d || !strings.HasPrefix(a, "subject:") || len(a) != 8+26 {
		t.Error(a, b, c, d)
	}
}

func TestConcurrentFirstUse(t *testing.T) {
	ctx := context.Background()
	store := &memory{keys: map[[2]string][]byte{}}
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			v, _ := NewVault(bytes.Repeat([]byte{1}, KeySize), store)
			keys[i], _ = v.SubjectKey(ctx, "w1", "subject:x", true)
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k == nil || !bytes.Equal(k, keys[0]) {
			t.Fatal("first users got different keys")
		}
	}
}

func TestRootKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "root")
	if _, err := LoadRootKey(path, false); !errors.Is(err, ErrRootKey) {
		t.Errorf("missing: %v", err)
	}
	a, err := LoadRootKey(path, true)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadRootKey(path, true)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("read back: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadRootKey(path, true); !errors.Is(err, ErrRootKey) {
			t.Errorf("readable by others: %v", err)
		}
		os.Chmod(path, 0o600)
	}
	os.WriteFile(path, []byte("short"), 0o600)
	if _, err := LoadRootKey(path, true); !errors.Is(err, ErrRootKey) {
		t.Errorf("short: %v", err)
	}
}

func BenchmarkSeal4K(b *testing.B) {
	v, _ := NewVault(bytes.Repeat([]byte{1}, KeySize), &memory{keys: map[[2]string][]byte{}})
	plain := make([]byte, 4096)
	for b.Loop() {
		if _, err := v.Seal(context.Background(), Ref{"w1", "subject:x", "r1", "input"}, plain); err != nil {
			b.Fatal(err)
		}
	}
}
