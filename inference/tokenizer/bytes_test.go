package tokenizer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// TestBytes: the bytes of ids, put together, are the decoded text, on every tokenizer of
// testdata.
func TestBytes(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/*")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	known := 0
	for _, dir := range folders {
		if s, err := os.Stat(dir); err != nil || !s.IsDir() {
			continue
		}
		tok, err := Load(os.DirFS(dir))
		if err != nil {
			continue // folders of what is refused
		}
		for range 300 {
			var ids []int32
			var joined []byte
			for len(ids) < 6 {
				id := int32(r.IntN(tok.VocabSize()))
				b := tok.Bytes(id, len(ids) == 0)
				if b == nil {
					if len(ids) == 0 && r.IntN(50) == 0 {
						break
					}
					continue
				}
				ids, joined = append(ids, id), append(joined, b...)
			}
			if len(ids) == 0 || !utf8.Valid(joined) {
				continue
			}
			known++
			if got := tok.Decode(ids, true); got != string(joined) {
				t.Errorf("%s: ids %v read %q, their bytes %q", dir, ids, got, joined)
				break
			}
		}
	}
	if known < 1000 {
		t.Errorf("%d texts were compared", known)
	}
}
