package report_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/audit/store"
	"vitrine/web/db"
)

// The policy of these tests denies everything by rule r1.
var (
	testPolicy = []byte(`{"deny":"everything"}`)
	policySum  = sha256.Sum256(testPolicy)
	policyHash = hex.EncodeToString(policySum[:])
)

// denyAll is a Redecider for testPolicy.
type denyAll struct{ rules []string }

func (d denyAll) Redecide(policy, request []byte) (string, []string, error) {
	var asked audit.Asked
	if err := json.Unmarshal(request, &asked); err != nil || asked.Action != "predict" {
		return "", nil, fmt.Errorf("not the question that was asked: %s", request)
	}
	if !bytes.Equal(policy, testPolicy) {
		return "", nil, errors.New("not the policy that was packed")
	}
	return "deny", d.rules, nil
}

func refusal() audit.Event {
	actor := "user:" + ulid.Make().String()
	return audit.Event{Code: "PREDICTION.MADE.DENIED", Actor: actor, Object: "prediction:" + ulid.Make().String(),
		Model: &audit.Model{ID: "sentiment-minilm", Version: "1.0.0"},
		Decision: &audit.Decision{Effect: "deny", Reason: "denied-by-rule", PolicyVersion: 3, PolicyHash: policyHash, Rules: []string{"r1"},
			Asked: audit.Asked{Subject: audit.Asker{ID: actor, Roles: []string{"analyst"}}, Action: "predict", Object: "model:sentiment-minilm"}}}
}

// openLog opens a log with n refusals besides its first entry, signed in two steps.
func openLog(t testing.TB, n int) *store.Log {
	t.Helper()
	l, _ := openLogIn(t, n)
	return l
}

// openLogIn is openLog with its database.
func openLogIn(t testing.TB, n int) (*store.Log, *db.DB) {
	t.Helper()
	dir := t.TempDir()
	d, err := db.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	l, err := store.Open(t.Context(), d, store.Options{Workspace: "default", KeysDir: filepath.Join(dir, "keys")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	for _, k := range []int{n / 2, n - n/2} {
		err := d.Write(t.Context(), func(ctx context.Context) error {
			for range k {
				if _, err := l.Append(ctx, refusal()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return l, d
}

func options(first, last int64) report.PackOptions {
	return report.PackOptions{First: first, Last: last, Created: time.UnixMilli(1_760_000_000_000),
		Policy: func(_ context.Context, hash string) ([]byte, error) {
			if hash != policyHash {
				return nil, fs.ErrNotExist
			}
			return testPolicy, nil
		},
		Card: func(context.Context, audit.Model) ([]byte, error) { return []byte("# Card\n"), nil },
		Render: func(w io.Writer, r *report.Report) error {
			_, err := fmt.Fprintf(w, "<!doctype html><title>%s</title>%d", r.Workspace, r.Events)
			return err
		}}
}

func pack(t testing.TB, l *store.Log, o report.PackOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	s, err := report.WritePack(t.Context(), &b, l, o)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(b.Bytes()); s.SHA256 != hex.EncodeToString(sum[:]) || s.Bytes != int64(b.Len()) {
		t.Error("the summary is of another file")
	}
	return b.Bytes()
}

func verify(t testing.TB, data []byte, o report.VerifyOptions) *report.VerifyResult {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pack.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := report.VerifyPack(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func trusting(l *store.Log) report.VerifyOptions {
	return report.VerifyOptions{Key: []byte(l.VerifierKey() + "\n"), Redecider: denyAll{[]string{"r1"}}}
}

func unzip(t testing.TB, data []byte) (names []string, files map[string][]byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
	}
	return names, files
}

// rezip packs files anew, stored, as any other program might.
func rezip(t testing.TB, names []string, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.CreateHeader(&zip.FileHeader{Name: n, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPacksOfManyRanges(t *testing.T) {
	l := openLog(t, 600)
	for _, c := range [][2]int64{{0, 600}, {0, 0}, {600, 600}, {255, 256}, {256, 511}, {100, 400}, {5, 4}, {301, 310}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			data := pack(t, l, options(c[0], c[1]))
			r := verify(t, data, trusting(l))
			if r.Verdict != report.Fine || !r.KeyTrusted || r.Events != max(c[1]-c[0]+1, 0) {
				t.Errorf("%+v", r)
			}
			names, files := unzip(t, data)
			if r := verify(t, rezip(t, names, files), trusting(l)); r.Verdict != report.Fine {
				t.Errorf("packed anew: %+v", r.Findings)
			}
			dir := t.TempDir()
			for n, data := range files {
				path := filepath.Join(dir, filepath.FromSlash(n))
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r, err := report.VerifyPack(dir, trusting(l))
			if err != nil || r.Verdict != report.Fine {
				t.Errorf("unpacked: %+v, %v", r, err)
			}
		})
	}
}

// TestEveryByteCounts flips bytes of every file of a pack: each is noticed, and the
// file or the entry is named.
func TestEveryByteCounts(t *testing.T) {
	l := openLog(t, 300)
	names, files := unzip(t, pack(t, l, options(150, 155)))
	if r := verify(t, rezip(t, names, files), trusting(l)); r.Verdict != report.Fine {
		t.Fatalf("%+v", r)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range names {
		good := files[name]
		positions := []int{0, len(good) / 2, len(good) - 1}
		for range 12 {
			positions = append(positions, rng.IntN(len(good)))
		}
		for i, at := range positions {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << (i % 8)
			files[name] = bad
			for _, o := range []report.VerifyOptions{trusting(l), {Redecider: denyAll{[]string{"r1"}}}} {
				r := verify(t, rezip(t, names, files), o)
				if r.ExitCode != 1 {
					t.Fatalf("byte %d of %s: %+v", at, name, r)
				}
				if !named(r, name) {
					t.Errorf("byte %d of %s: not named: %+v", at, name, r.Findings)
				}
			}
		}
		files[name] = good
	}
}

// named says whether a result blames a file. A key that is not the log's cannot be
// told from a manifest that is not; either is named.
func named(r *report.VerifyResult, file string) bool {
	return slices.ContainsFunc(r.Findings, func(f report.Finding) bool {
		return f.File == file || file == "keys/log.pub" && f.File == "manifest.sig"
	})
}

func TestFilesAreAllAndOnlyThose(t *testing.T) {
	l := openLog(t, 30)
	names, files := unzip(t, pack(t, l, options(3, 9)))
	for i, name := range names {
		without := slices.Delete(slices.Clone(names), i, i+1)
		if r := verify(t, rezip(t, without, files), trusting(l)); r.ExitCode != 1 || !named(r, name) {
			t.Errorf("without %s: %+v", name, r)
		}
		if r := verify(t, rezip(t, append(slices.Clone(names), name), files), trusting(l)); r.ExitCode != 1 || !named(r, name) {
			t.Errorf("%s twice: %+v", name, r)
		}
		other := names[(i+1)%len(names)]
		swapped := maps.Clone(files)
		swapped[name], swapped[other] = files[other], files[name]
		if r := verify(t, rezip(t, names, swapped), trusting(l)); r.ExitCode != 1 || !named(r, name) && !named(r, other) {
			t.Errorf("%s and %s swapped: %+v", name, other, r)
		}
	}
	more := maps.Clone(files)
	more["notes.txt"] = []byte("x")
	if r := verify(t, rezip(t, append(slices.Clone(names), "notes.txt"), more), trusting(l)); r.ExitCode != 1 || !named(r, "notes.txt") {
		t.Errorf("one file more: %+v", r)
	}
}

// TestEntriesKeepTheirPlace changes events.jsonl by whole entries.
func TestEntriesKeepTheirPlace(t *testing.T) {
	l := openLog(t, 40)
	names, files := unzip(t, pack(t, l, options(10, 19)))
	good := bytes.SplitAfter(files["events.jsonl"], []byte("\n"))
	good = good[:10]
	for name, c := range map[string]struct {
		edit  func([][]byte) [][]byte
		index int64
	}{
		"dropped":       {func(l [][]byte) [][]byte { return slices.Delete(l, 4, 5) }, 14},
		"dropped first": {func(l [][]byte) [][]byte { return l[1:] }, 10},
		"dropped last":  {func(l [][]byte) [][]byte { return l[:9] }, 19},
		"twice":         {func(l [][]byte) [][]byte { return slices.Insert(l, 5, l[4]) }, 14},
		"swapped": {func(l [][]byte) [][]byte {
			l[2], l[3] = l[3], l[2]
			return l
		}, 12},
		"reversed": {func(l [][]byte) [][]byte { slices.Reverse(l); return l }, 10},
		"renumbered": {func(l [][]byte) [][]byte {
			l[2], l[3] = bytes.Replace(l[3], []byte(`"index":13`), []byte(`"index":12`), 1), bytes.Replace(l[2], []byte(`"index":12`), []byte(`"index":13`), 1)
			return l
		}, 12},
		"rewritten": {func(l [][]byte) [][]byte {
			l[7] = bytes.Replace(l[7], []byte("01"), []byte("02"), 1)
			return l
		}, 17},
		"blank line": {func(l [][]byte) [][]byte { return slices.Insert(l, 3, []byte("\n")) }, 13},
	} {
		lines := c.edit(slices.Clone(good))
		bad := maps.Clone(files)
		bad["events.jsonl"] = bytes.Join(lines, nil)
		r := verify(t, rezip(t, names, bad), trusting(l))
		if r.ExitCode != 1 || !slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Index == c.index && f.File == "events.jsonl" }) {
			t.Errorf("%s: entry %d is not named: %+v", name, c.index, r.Findings)
		}
		if !strings.Contains(r.Sentence(), "entry ") {
			t.Errorf("%s: the sentence names no entry: %s", name, r.Sentence())
		}
	}
}

// TestEveryByteOfTheZIP flips each byte of the archive. Dates and attributes are no
// evidence; where such a byte passes, the files must be the same.
func TestEveryByteOfTheZIP(t *testing.T) {
	l := openLog(t, 5)
	data := pack(t, l, options(0, 1))
	_, files := unzip(t, data)
	var passed int
	for at := 0; at < len(data); at += 4 {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at / 4 % 8)
		r := verify(t, bad, trusting(l))
		if r.ExitCode == 2 {
			t.Fatalf("byte %d: cannot decide: %+v", at, r)
		}
		if r.ExitCode == 0 {
			passed++
			if _, now := unzip(t, bad); !maps.EqualFunc(files, now, bytes.Equal) {
				t.Fatalf("byte %d passes and the files differ", at)
			}
		}
	}
	t.Logf("%d of %d changes touch nothing but metadata", passed, (len(data)+3)/4)
	for name, bad := range map[string][]byte{
		"leading":   append([]byte("x"), data...),
		"trailing":  append(bytes.Clone(data), 0),
		"truncated": data[:len(data)-1],
		"half":      data[:len(data)/2],
	} {
		if r := verify(t, bad, trusting(l)); r.ExitCode != 1 {
			t.Errorf("%s bytes: %+v", name, r)
		}
	}
}

func TestKeys(t *testing.T) {
	l, other := openLog(t, 5), openLog(t, 5)
	data := pack(t, l, options(0, 5))
	r := verify(t, data, report.VerifyOptions{Redecider: denyAll{[]string{"r1"}}})
	if r.ExitCode != 0 || r.KeyTrusted || !strings.Contains(r.Sentence(), "not authenticated") {
		t.Errorf("without a key: %+v", r)
	}
	if r := verify(t, data, report.VerifyOptions{RequireKey: true, Redecider: denyAll{[]string{"r1"}}}); r.ExitCode != 2 {
		t.Errorf("a key is required: %+v", r)
	}
	if r := verify(t, data, trusting(other)); r.ExitCode != 1 {
		t.Errorf("another log's key: %+v", r)
	}
	// A pack forged whole, with a key of the forger's own.
	forged := pack(t, other, options(0, 5))
	if r := verify(t, forged, trusting(l)); r.ExitCode != 1 || !named(r, "keys/log.pub") {
		t.Errorf("forged: %+v", r)
	}
	if _, err := report.VerifyPack(filepath.Join(t.TempDir(), "none"), trusting(l)); !report.IsUndecided(err) {
		t.Errorf("no file: %v", err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := report.VerifyPack(text, trusting(l)); !errors.Is(err, report.ErrNotPack) {
		t.Errorf("a text file: %v", err)
	}
	if _, err := report.VerifyPack(text, report.VerifyOptions{Key: []byte("x")}); !errors.Is(err, audit.ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestDecisionsAreMadeAgain(t *testing.T) {
	l := openLog(t, 5)
	data := pack(t, l, options(0, 5))
	o := trusting(l)
	o.Redecider = denyAll{[]string{"r2"}}
	r := verify(t, data, o)
	if r.ExitCode != 1 || r.Findings[0].Code != report.CodeDecision || r.Findings[0].Index != 1 {
		t.Errorf("another rule decides now: %+v", r)
	}
	without := options(0, 5)
	without.Policy = nil
	if r := verify(t, pack(t, l, without), trusting(l)); r.ExitCode != 2 || !strings.Contains(r.Sentence(), policyHash) {
		t.Errorf("without the policy: %+v", r)
	}
}

func TestLinesAndTable(t *testing.T) {
	l := openLog(t, 3)
	var jsonl, csv bytes.Buffer
	if n, err := report.WriteJSONL(&jsonl, l.Leaves(t.Context(), store.Query{}), nil); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	var told int64
	if n, err := report.WriteCSV(&csv, l.Leaves(t.Context(), store.Query{Decision: "deny"}), func(n int64) { told = n }); err != nil || n != 3 || told != 3 {
		t.Fatal(n, err)
	}
	if got := strings.Count(csv.String(), "\r\n"); got != 4 {
		t.Errorf("%d lines", got)
	}
	for line := range bytes.Lines(jsonl.Bytes()) {
		leaf, err := report.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := audit.ParseLeaf(leaf.Bytes); err != nil {
			t.Error(err)
		}
	}
}

func FuzzVerifyPack(f *testing.F) {
	l := openLog(f, 5)
	data := pack(f, l, options(0, 2))
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	names, files := unzip(f, data)
	f.Add(rezip(f, names, files))
	key := l.VerifierKey()
	if err := l.Close(f.Context()); err != nil { // its goroutines would look like coverage
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "pack.zip")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := report.VerifyPack(path, report.VerifyOptions{Key: []byte(key), Redecider: denyAll{[]string{"r1"}}})
		if err == nil && r.ExitCode == 0 {
			if _, now := unzip(t, data); !maps.EqualFunc(files, now, bytes.Equal) {
				t.Error("other files pass")
			}
		}
	})
}
