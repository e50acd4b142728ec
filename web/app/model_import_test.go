package app

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/inference/conformance/chain"
	"vitrine/inference/hub"
	"vitrine/policy"
)

// zipped puts a folder's files below a name into an archive.
func zipped(t *testing.T, dir, below string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x-1.0-py3-none-any.whl")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		b, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		w, err := z.Create(below + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(b)
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestImport: a checkpoint comes out of an archive, from an address and from a hub, is
// registered by its digest, writes, and leaves nothing on the way; what is refused leaves
// nothing at all, and both are in the log.
func TestImport(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "chain")
	if err := chain.Write(dir); err != nil {
		t.Fatal(err)
	}
	wheel := zipped(t, dir, "pkg/model")
	raw, err := os.ReadFile(wheel)
	if err != nil {
		t.Fatal(err)
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/models/team/chain/revision/v2" {
			var files []map[string]any
			list, _ := os.ReadDir(dir)
			for _, e := range list {
				b, _ := os.ReadFile(filepath.Join(dir, e.Name()))
				files = append(files, map[string]any{"rfilename": e.Name(), "lfs": map[string]any{"size": len(b), "sha256": fmt.Sprintf("%x", sha256.Sum256(b))}})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": files})
			return
		}
		if r.URL.Path == "/chain.whl" {
			http.ServeFile(w, r, wheel)
			return
		}
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
	}))
	defer mirror.Close()
	a := openApp(t, "", true)
	a.config.Sources = hub.Config{Hub: mirror.URL}
	for i, r := range []ImportRequest{
		{Source: wheel, Name: "archived"},
		{Source: wheel, Name: "inside", Inside: "pkg/model"},
		{Source: mirror.URL + "/chain.whl", SHA256: fmt.Sprintf("%x", sha256.Sum256(raw)), Name: "fetched"},
		{Source: "team/chain", Revision: "v2", Name: "pulled"},
	} {
		v, err := a.StartImport(ctx, a.Local(), r)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		if v.Status != "done" || v.Object != r.Name+"@1.0.0" || v.Done == 0 {
			t.Errorf("%+v", v)
		}
		if _, err := a.Generate(ctx, a.Local(), GenerateRequest{Model: r.Name, Text: text("Go:"), MaxTokens: number(2)}, Sink{}); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		list, _ := os.ReadDir(filepath.Join(a.db.Dir(), "models"))
		if len(list) != i+1 {
			t.Errorf("after %s there are %v", r.Name, list)
		}
	}
	list, err := a.Models(ctx, a.Local())
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, m := range list {
		if m.Source != sourceEmbedded {
			sources = append(sources, m.Name+":"+m.Source)
		}
	}
	slices.Sort(sources)
	if got := strings.Join(sources, " "); got != "archived:archive fetched:address inside:archive pulled:hub" {
		t.Errorf("the inventory names %s", got)
	}
	before := len(events(t, a))
	for name, r := range map[string]ImportRequest{
		"a host that is not allowed": {Source: "https://example.org/m.gguf", SHA256: strings.Repeat("a", 64)},
		"another digest":             {Source: mirror.URL + "/chain.whl", SHA256: strings.Repeat("a", 64)},
		"no digest":                  {Source: mirror.URL + "/chain.whl"},
		"ONNX":                       {Source: "model.onnx"},
		"no such repository":         {Source: "team/none"},
		"no such file":               {Source: "nowhere.zip"},
		"a path that climbs":         {Source: wheel, Inside: "../x"},
		"a name":                     {Source: wheel, Name: "a b"},
		"a file with a revision":     {Source: wheel, Revision: "v2"},
	} {
		if _, err := a.StartImport(ctx, a.Local(), r); err == nil || Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, _ := os.ReadDir(filepath.Join(a.db.Dir(), "models")); len(list) != 4 {
		t.Errorf("what was refused left %v", list)
	}
	if n := count(events(t, a), "MODEL.ADDED.FAILED"); n < 6 || len(events(t, a)) == before {
		t.Errorf("%d failures are in the log", n)
	}
	_, err = a.StartImport(ctx, caller(t, a, policy.Analyst), ImportRequest{Source: wheel})
	denied(t, err)
	owner := caller(t, a, policy.ModelOwner)
	if _, err := a.StartImport(ctx, owner, ImportRequest{Source: wheel}); !errors.Is(err, ErrModelFolder) {
		t.Errorf("somebody else's file: %v", err)
	}
}
