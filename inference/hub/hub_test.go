package hub

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const head = "0123456789abcdef0123456789abcdef01234567"

func sum(b string) string { s := sha256.Sum256([]byte(b)); return hex.EncodeToString(s[:]) }
func blob(b string) string {
	s := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(b), b)))
	return hex.EncodeToString(s[:])
}

// mirror is a hub with one repository; cut ends that many answers early.
type mirror struct {
	*httptest.Server
	files  map[string]string
	cut    atomic.Int32
	ranges atomic.Int32
	asked  atomic.Int32
	forge  map[string]string // digests that the listing claims
}

func newMirror(t *testing.T, files map[string]string) *mirror {
	m := &mirror{files: files, forge: map[string]string{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.asked.Add(1)
	if strings.HasPrefix(r.URL.Path, "/api/models/o/n/revision/") {
		type lfs struct {
			SHA256 string `json:"sha256"`
			Size   int    `json:"size"`
		}
		type file struct {
			Name string `json:"rfilename"`
			Size int    `json:"size"`
			Blob string `json:"blobId"`
			LFS  *lfs   `json:"lfs,omitempty"`
		}
		var list []file
		for name, b := range m.files {
			f := file{Name: name, Size: len(b), Blob: blob(b)}
			if d := m.forge[name]; d != "" {
				f.Blob = d
			}
			if strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".gguf") {
				f.LFS = &lfs{sum(b), len(b)}
			}
			list = append(list, f)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"sha": head, "siblings": list})
		return
	}
	if r.URL.Path == "/away" {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		return
	}
	b, ok := m.files[strings.TrimPrefix(r.URL.Path, "/o/n/resolve/"+head+"/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Header.Get("Range") != "" {
		m.ranges.Add(1)
	}
	if len(b) > 1<<13 && m.cut.Add(-1) >= 0 { // of less, the server's buffer would lose every byte
		at := 0
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at)
		w.Header().Set("Content-Length", fmt.Sprint(len(b)-at))
		if at > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(b)-1, len(b)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = io.WriteString(w, b[at:at+(len(b)-at)/2])
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(b))
}

func (m *mirror) client(t *testing.T, max int64) *Client {
	t.Helper()
	c, err := New(Config{Hub: m.URL, MaxBytes: max})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var checkpoint = map[string]string{"config.json": "{}", "model.safetensors": strings.Repeat("weights", 5000), "tokenizer.json": "{ }", "modeling.py": "import os",
	"pytorch_model.bin": "pickle", "onnx/model.onnx": "x", "sub/config.json": "{}", "sub/more.safetensors": "x"}

func TestRepository(t *testing.T) {
	m := newMirror(t, checkpoint)
	m.cut.Store(2)
	dir := t.TempDir()
	var done, total int64
	f, err := m.client(t, 0).Fetch(context.Background(), Source{Repo: "o/n", Revision: "v1"}, dir, func(d, n int64) { done, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if f.Commit != head || done != total || f.Bytes != total || m.ranges.Load() == 0 {
		t.Errorf("%+v, %d of %d, %d ranges", f, done, total, m.ranges.Load())
	}
	var names []string
	list, _ := os.ReadDir(f.Path)
	for _, e := range list {
		names = append(names, e.Name())
		if b, _ := os.ReadFile(filepath.Join(f.Path, e.Name())); string(b) != checkpoint[e.Name()] {
			t.Errorf("%s is not what the hub has", e.Name())
		}
	}
	if got := strings.Join(names, " "); got != "config.json model.safetensors tokenizer.json" {
		t.Errorf("fetched %s", got)
	}
	before := m.asked.Load()
	if _, err := m.client(t, 0).Fetch(context.Background(), Source{Repo: "o/n"}, dir, nil); err != nil || m.asked.Load() != before+1 {
		t.Errorf("a second time: %v, %d requests", err, m.asked.Load()-before)
	}
}

func TestOneGGUF(t *testing.T) {
	m := newMirror(t, map[string]string{"a.gguf": "A", "b.gguf": "BB", "README.md": "x"})
	c := m.client(t, 0)
	f, err := c.Fetch(context.Background(), Source{Repo: "o/n", Inside: "b.gguf"}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(f.Path); string(b) != "BB" {
		t.Errorf("%s holds %q", f.Path, b)
	}
	if _, err := c.Fetch(context.Background(), Source{Repo: "o/n"}, t.TempDir(), nil); !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "2 GGUF") {
		t.Error(err)
	}
}

// TestInterrupted: what an ended fetch left is gone on with.
func TestInterrupted(t *testing.T) {
	m := newMirror(t, checkpoint)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := m.client(t, 0).Fetch(ctx, Source{Repo: "o/n"}, dir, func(done, _ int64) {
		if done > 5000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	parts, _ := filepath.Glob(filepath.Join(dir, head, "*.part"))
	if _, err := os.Stat(filepath.Join(dir, head, "model.safetensors")); err == nil || len(parts) != 1 {
		t.Errorf("after the end there are %v", parts)
	}
	if _, err := m.client(t, 0).Fetch(context.Background(), Source{Repo: "o/n"}, dir, nil); err != nil {
		t.Fatal(err)
	}
}

func TestRefused(t *testing.T) {
	m := newMirror(t, checkpoint)
	pickled := newMirror(t, map[string]string{"config.json": "{}", "pytorch_model.bin": "x"})
	forged := newMirror(t, checkpoint)
	forged.forge["config.json"] = blob("other")
	hex64 := strings.Repeat("a", 64)
	for _, c := range []struct {
		name string
		c    *Client
		s    Source
		kind error
		says string
	}{
		{"a host that is not listed", m.client(t, 0), Source{Address: "https://example.org/x.gguf", SHA256: hex64}, ErrSource, "not allowed"},
		{"http", m.client(t, 0), Source{Address: "http://huggingface.co/x.gguf", SHA256: hex64}, ErrSource, "https"},
		{"a password", m.client(t, 0), Source{Address: "https://u:secret@huggingface.co/x.gguf", SHA256: hex64}, ErrSource, "password"},
		{"no digest", m.client(t, 0), Source{Address: m.URL + "/o/n/resolve/" + head + "/x.gguf"}, ErrSource, "sha256"},
		{"another digest", m.client(t, 0), Source{Address: m.URL + "/o/n/resolve/" + head + "/x.gguf", SHA256: hex64}, ErrSource, "nothing there"},
		{"a pickle", m.client(t, 0), Source{Address: m.URL + "/x.bin", SHA256: hex64}, ErrSource, "run code"},
		{"ONNX", m.client(t, 0), Source{Address: m.URL + "/x.onnx", SHA256: hex64}, ErrSource, "ONNX"},
		{"only pickles", pickled.client(t, 0), Source{Repo: "o/n"}, ErrSource, "run code"},
		{"a forged listing", forged.client(t, 0), Source{Repo: "o/n"}, ErrContent, "digest"},
		{"too large", m.client(t, 1000), Source{Repo: "o/n"}, ErrContent, "larger"},
		{"a name that climbs", m.client(t, 0), Source{Repo: "../n"}, ErrSource, "owner/name"},
		{"a revision that climbs", m.client(t, 0), Source{Repo: "o/n", Revision: "a/../../b"}, ErrSource, "revision"},
		{"a path that climbs", m.client(t, 0), Source{Repo: "o/n", Inside: "../x.gguf"}, ErrSource, "leads out"},
		{"another repository", m.client(t, 0), Source{Repo: "o/other"}, ErrSource, "nothing there"},
		{"two sources", m.client(t, 0), Source{Repo: "o/n", File: "x.zip"}, ErrSource, "name an address"},
		{"nothing", m.client(t, 0), Source{}, ErrSource, "name an address"},
	} {
		_, err := c.c.Fetch(context.Background(), c.s, t.TempDir(), nil)
		if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestInner: neither a redirect nor a name leads to a machine of the inner network.
func TestInner(t *testing.T) {
	m := newMirror(t, checkpoint)
	c := m.client(t, 0)
	if _, err := c.get(context.Background(), m.URL+"/away", nil); !errors.Is(err, ErrSource) {
		t.Errorf("a redirect: %v", err)
	}
	for address, ok := range map[string]bool{
		"127.0.0.1:443": false, "10.0.0.1:443": false, "192.168.1.1:443": false, "172.16.0.1:443": false, "169.254.169.254:80": false, "100.64.0.1:443": false, "0.0.0.0:80": false,
		"[::1]:443": false, "[fe80::1]:443": false, "[fd00::1]:443": false, "[::ffff:10.0.0.1]:443": false, "[64:ff9b::a00:1]:443": false, "224.0.0.1:80": false, "255.255.255.255:80": false,
		"[2002:a00:1::]:443": false, "1.1.1.1:443": true, "[2606:4700::1111]:443": true,
	} {
		if err := public("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	other := newMirror(t, checkpoint) // allowed by name, but within
	guarded, err := New(Config{Hub: m.URL, Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guarded.get(context.Background(), "https"+strings.TrimPrefix(other.URL, "http"), nil); !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "public") {
		t.Errorf("an inner host of the list: %v", err)
	}
}

func archive(t *testing.T, entries ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		h := &zip.FileHeader{Name: entries[i], Method: zip.Deflate}
		if strings.HasPrefix(entries[i+1], "->") {
			h.SetMode(os.ModeSymlink | 0o777)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, entries[i+1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "x.whl")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestArchive(t *testing.T) {
	c, err := New(Config{MaxBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, archive, inside string
		files, says           string
	}{
		{"one GGUF", archive(t, "pkg/__init__.py", "import os", "pkg/m.gguf", "G"), "", "m.gguf", ""},
		{"one folder", archive(t, "a/config.json", "{}", "a/model.safetensors", "W", "a/run.py", "x"), "", "config.json model.safetensors", ""},
		{"the folder named", archive(t, "a/config.json", "{}", "b/config.json", "{ }"), "b", "config.json", ""},
		{"two folders", archive(t, "a/config.json", "{}", "b/config.json", "{}"), "", "", "2 checkpoints"},
		{"none", archive(t, "a/b.py", "x"), "", "", "no checkpoint"},
		{"one that climbs", archive(t, "../m.gguf", "G"), "", "", "cannot be read|leads out"},
		{"a link", archive(t, "m.gguf", "->/etc/passwd"), "", "", "no plain file"},
		{"a bomb", archive(t, "m.gguf", strings.Repeat("\x00", 1<<20)), "", "", "larger"},
		{"twice", archive(t, "config.json", "{}", "config.json", "{}"), "", "", "2 checkpoints|twice"},
	} {
		dir := t.TempDir()
		f, err := c.Fetch(context.Background(), Source{File: x.archive, Inside: x.inside}, dir, nil)
		var names []string
		list, _ := os.ReadDir(dir)
		for _, e := range list {
			names = append(names, e.Name())
		}
		fits := x.says == "" && err == nil
		for _, s := range strings.Split(x.says, "|") {
			fits = fits || x.says != "" && err != nil && strings.Contains(err.Error(), s)
		}
		if !fits || strings.Join(names, " ") != x.files {
			t.Errorf("%s: %+v %v, files %v", x.name, f, err, names)
		}
	}
	cut := archive(t, "m.gguf", "GGUF")
	b, _ := os.ReadFile(cut)
	for _, damage := range [][]byte{b[:len(b)/2], bytes.Replace(b, []byte("m.gguf"), []byte("n.gguf"), 1), nil} {
		if err := os.WriteFile(cut, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Fetch(context.Background(), Source{File: cut}, t.TempDir(), nil); err != nil && !errors.Is(err, ErrContent) {
			t.Errorf("a damaged archive: %v", err)
		}
	}
	m := newMirror(t, map[string]string{"x.zip": string(b)})
	f, err := m.client(t, 0).Fetch(context.Background(), Source{Address: m.URL + "/o/n/resolve/" + head + "/x.zip", SHA256: sum(string(b))}, t.TempDir(), nil)
	if err != nil || filepath.Base(f.Path) != "m.gguf" {
		t.Errorf("from an address: %+v %v", f, err)
	}
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"`+head+`","siblings":[{"rfilename":"config.json","size":2,"blobId":"`+head+`"},{"rfilename":"../m.safetensors","lfs":{"size":1}}]}`), "")
	c, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, inside string) {
		var l listing
		if json.Unmarshal(raw, &l) != nil {
			return
		}
		list, err := c.choose(&l, Source{Repo: "o/n", Inside: inside})
		for _, p := range list {
			if err == nil && (p.name != filepath.Base(p.name) || !filepath.IsLocal(p.name) || p.size < 0) {
				t.Fatalf("%+v", p)
			}
		}
	})
}
