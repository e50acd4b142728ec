package inference

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"vitrine/inference/generate"
)

const tinyGGUF = "conformance/testdata/golden/gguf/tiny-Q4_0.gguf"

// TestOpenGGUF: a GGUF file opens by its path, as the only file of a folder, and its digest is that of the file alone.
func TestOpenGGUF(t *testing.T) {
	m, err := Open(tinyGGUF)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(tinyGGUF)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := OpenFS(fstest.MapFS{"tiny-Q4_0.gguf": &fstest.MapFile{Data: raw}}, "folder")
	if err != nil {
		t.Fatal(err)
	}
	a, b := m.Info(), alone.Info()
	if a.Family != "llama" || a.Task != "text-generation" || a.Digest == "" || a.Digest != b.Digest || len(a.Files) != 1 {
		t.Errorf("%+v, %+v", a, b)
	}
	e := Example{IDs: []int32{0, 28, 4}}
	if err := sameBits(mustRun(t, m, []Example{e}, RunSpec{})[0], mustRun(t, alone, []Example{e}, RunSpec{})[0]); err != nil {
		t.Error(err)
	}
	written, err := m.Write(context.Background(), Writing{Text: "the cat", Options: generate.Options{MaxNew: 3}}, nil)
	if err != nil || written.PromptTokens == 0 || len(written.Answers[0].Tokens) != 3 {
		t.Errorf("written by the file's own tokenizer: %+v, %v", written, err)
	}
	for name, c := range map[string]struct {
		fsys fstest.MapFS
		kind error
		want string
	}{
		"two files":  {fstest.MapFS{"a.gguf": {Data: raw}, "b.gguf": {Data: raw}}, ErrModel, "config.json"},
		"cut":        {fstest.MapFS{"a.gguf": {Data: raw[:4000]}}, ErrModel, ""},
		"not a GGUF": {fstest.MapFS{"a.gguf": {Data: []byte("GGUX")}}, ErrModel, ""},
		"empty":      {fstest.MapFS{}, ErrModel, "config.json"},
	} {
		if _, err := OpenFS(c.fsys, name); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open("checkpoint_test.go"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("another file: %v", err)
	}
}
