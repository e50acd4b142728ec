package report_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/audit/store"
)

// Tessera is another implementation of tlog-tiles: its fsck reads our logs and packs, and
// must say of each what our own checks say.

// source is what fsck reads a log from.
type source interface {
	checkpoint(ctx context.Context) ([]byte, error)
	file(ctx context.Context, path string) ([]byte, error)
}

// fetcher gives fsck the files of a source.
type fetcher struct{ source }

func (f fetcher) ReadCheckpoint(ctx context.Context) ([]byte, error) { return f.checkpoint(ctx) }

func (f fetcher) ReadTile(ctx context.Context, l, i uint64, p uint8) ([]byte, error) {
	return f.file(ctx, layout.TilePath(l, i, p))
}

func (f fetcher) ReadEntryBundle(ctx context.Context, i uint64, p uint8) ([]byte, error) {
	return f.file(ctx, layout.EntriesPath(i, p))
}

// tessera runs fsck over a source.
func tessera(t *testing.T, s source, v note.Verifier) error {
	t.Helper()
	hash := func(bundle []byte) ([][]byte, error) {
		var b api.EntryBundle
		if err := b.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		var out [][]byte
		for _, e := range b.Entries {
			out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return out, nil
	}
	return fsck.New(v.Name(), v, fetcher{s}, hash, fsck.Opts{N: 2}).Check(t.Context())
}

// live is a log in its database.
type live struct{ *store.Log }

func (l live) checkpoint(ctx context.Context) ([]byte, error) {
	_, signed, err := l.Checkpoint(ctx)
	return signed, err
}

func (l live) file(ctx context.Context, path string) ([]byte, error) { return l.Tile(ctx, path) }

// packed is a pack's files; the bundles are made of events.jsonl.
type packed map[string][]byte

func (p packed) checkpoint(context.Context) ([]byte, error) { return p["checkpoint"], nil }

func (p packed) file(_ context.Context, path string) ([]byte, error) {
	if !strings.HasPrefix(path, "tile/entries/") {
		data, ok := p[path]
		if !ok {
			return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		return data, nil
	}
	t, err := audit.ParseTilePath(path)
	if err != nil {
		return nil, err
	}
	lines := bytes.SplitAfter(p["events.jsonl"], []byte("\n"))
	var out []byte
	for n := t.N * audit.TileWidth; n < t.N*audit.TileWidth+int64(t.W); n++ {
		if n >= int64(len(lines)) {
			return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		leaf, err := report.ParseLine(lines[n])
		if err != nil || leaf.Index != n {
			return nil, fmt.Errorf("entry %d: %w", n, report.ErrLine)
		}
		out = audit.AppendEntry(out, leaf.Bytes)
	}
	return out, nil
}

// unpacked are the files of a pack in memory.
func unpacked(t *testing.T, pack []byte) packed {
	t.Helper()
	_, files := unzip(t, pack)
	return files
}

// folder writes a pack's files out, as somebody who unpacked it has them.
func (p packed) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range p {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The same tampering, seeded, with a log's files.
var tampers = map[string]func(p packed){
	"an entry edited": func(p packed) {
		p["events.jsonl"] = bytes.Replace(p["events.jsonl"], []byte(`"deny"`), []byte(`"allo"`), 1)
	},
	"a digit of an entry": func(p packed) { flipAt(p["events.jsonl"], `"actor":"user:`, 14) },
	"entries swapped": func(p packed) {
		l := bytes.SplitAfter(p["events.jsonl"], []byte("\n"))
		l[7], l[8] = l[8], l[7]
		p["events.jsonl"] = bytes.Join(l, nil)
	},
	"an entry removed": func(p packed) {
		l := bytes.SplitAfter(p["events.jsonl"], []byte("\n"))
		p["events.jsonl"] = bytes.Join(append(l[:300:300], l[301:]...), nil)
	},
	"the tail cut": func(p packed) {
		l := bytes.SplitAfter(p["events.jsonl"], []byte("\n"))
		p["events.jsonl"] = bytes.Join(l[:590], nil)
	},
	"a lowest tile":  func(p packed) { p["tile/0/001"][77] ^= 1 },
	"an upper tile":  func(p packed) { p["tile/1/000.p/2"][3] ^= 1 },
	"the checkpoint": func(p packed) { flipAt(p["checkpoint"], "\n", 1) },
	"a tile gone":    func(p packed) { delete(p, "tile/0/000") },
	"the signature":  func(p packed) { c := p["checkpoint"]; c[len(c)-12] ^= 1 },
}

func flipAt(data []byte, after string, by int) {
	if i := bytes.Index(data, []byte(after)); i >= 0 {
		data[i+by] ^= 1
	}
}

// TestTesseraOfAPack: fsck and our verifier accept a pack of a whole log, and both refuse
// it after each tampering.
func TestTesseraOfAPack(t *testing.T) {
	l := openLog(t, 600)
	head, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := report.WritePack(t.Context(), &b, l, options(0, head.Size-1)); err != nil {
		t.Fatal(err)
	}
	both := func(t *testing.T, p packed) (theirs error, ours string) {
		r, err := report.VerifyPack(p.folder(t), report.VerifyOptions{Redecider: denyAll{[]string{"r1"}}})
		if err != nil {
			t.Fatal(err)
		}
		return tessera(t, p, l.Verifier()), r.Verdict
	}
	if theirs, ours := both(t, unpacked(t, b.Bytes())); theirs != nil || ours != report.Fine {
		t.Fatalf("a whole pack: fsck says %v, we say %v", theirs, ours)
	}
	for name, tamper := range tampers {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // fsck waits and asks again for what is missing
			p := unpacked(t, b.Bytes())
			tamper(p)
			if theirs, ours := both(t, p); theirs == nil || ours != report.Tampered {
				t.Errorf("fsck says %v, we say %v", theirs, ours)
			}
		})
	}
}

// TestTesseraOfALiveLog: fsck and our check accept a log as it is served from its
// database, and both refuse it after its rows were changed.
func TestTesseraOfALiveLog(t *testing.T) {
	for name, statement := range map[string]string{
		"untouched":           "",
		"a leaf edited":       "UPDATE audit_events SET leaf = CAST(REPLACE(CAST(leaf AS TEXT), '\"deny\"', '\"allo\"') AS BLOB) WHERE idx = 41",
		"entries swapped":     "UPDATE audit_events SET idx = CASE idx WHEN 11 THEN -12 WHEN 12 THEN -11 END WHERE idx IN (11, 12); UPDATE audit_events SET idx = -idx WHERE idx < 0",
		"an entry removed":    "DELETE FROM audit_events WHERE idx = 299",
		"the tail cut":        "DELETE FROM audit_events WHERE idx > 590",
		"a tile removed":      "DELETE FROM audit_tiles WHERE level = 0 AND n = 1",
		"a tile of zeros":     "UPDATE audit_tiles SET data = ZEROBLOB(LENGTH(data)) WHERE level = 0 AND n = 0",
		"an upper tile zeros": "UPDATE audit_tiles SET data = ZEROBLOB(LENGTH(data)) WHERE level = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, d := openLogIn(t, 600)
			if statement != "" {
				err := d.Write(t.Context(), func(ctx context.Context) error { return d.Tx(ctx).Exec(statement).Error })
				if err != nil {
					t.Fatal(err)
				}
			}
			h, err := l.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			theirs := tessera(t, live{l}, l.Verifier())
			if fine := statement == ""; (theirs == nil) != fine || h.OK != fine {
				t.Errorf("fsck says %v, we say %v %v", theirs, h.OK, h.Problems)
			}
		})
	}
}
