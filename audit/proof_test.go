package audit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// memory is a log in memory: every stored hash, as tlog counts them.
type memory struct {
	hashes []tlog.Hash
	size   int64
}

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = m.hashes[x]
	}
	return out, nil
}

func (m *memory) add(t testing.TB, leaf []byte) {
	h, err := tlog.StoredHashes(m.size, leaf, m)
	if err != nil {
		t.Fatal(err)
	}
	m.hashes = append(m.hashes, h...)
	m.size++
}

// TestProofsOfAllSmallTrees proves every leaf of every tree of up to 100 leaves and
// every pair of sizes, and wants each proof to fail for everything it does not prove.
func TestProofsOfAllSmallTrees(t *testing.T) {
	m := &memory{}
	var acc Accumulator
	var heads []Checkpoint
	leaf := func(i int64) []byte { return fmt.Appendf(nil, "leaf %d", i) }
	for size := int64(0); size <= 100; size++ {
		root, err := tlog.TreeHash(size, m)
		if err != nil {
			t.Fatal(err)
		}
		if acc.Root() != root {
			t.Fatalf("size %d: the accumulator gives another root", size)
		}
		head := Checkpoint{Size: size, Root: root}
		heads = append(heads, head)
		for i := int64(0); i < size; i++ {
			p, err := tlog.ProveRecord(size, i, m)
			if err != nil {
				t.Fatal(err)
			}
			hash := LeafHash(leaf(i))
			if err := VerifyInclusion(p, head, i, hash); err != nil {
				t.Fatal(err)
			}
			steps := ProofSteps(p, size, i, hash)
			if len(steps) != len(p) || len(p) > 0 && steps[len(p)-1].Result != root {
				t.Fatalf("size %d index %d: the steps do not lead to the root", size, i)
			}
			if VerifyInclusion(p, head, (i+1)%size, hash) == nil && size > 1 {
				t.Fatalf("size %d: the proof of %d also proves its neighbour", size, i)
			}
			if VerifyInclusion(p, head, i, LeafHash(leaf(i+1))) == nil {
				t.Fatalf("size %d index %d: another leaf passes", size, i)
			}
		}
		for old := int64(0); old <= size; old++ {
			var p tlog.TreeProof
			if old > 0 {
				if p, err = tlog.ProveTree(size, old, m); err != nil {
					t.Fatal(err)
				}
			}
			if err := VerifyConsistency(p, heads[old], head); err != nil {
				t.Fatal(err)
			}
			forged := heads[old]
			forged.Root[5] ^= 1
			if !errors.Is(VerifyConsistency(p, forged, head), ErrProof) {
				t.Fatalf("sizes %d and %d: a forged older root passes", old, size)
			}
			if old < size && VerifyConsistency(p, head, heads[old]) == nil {
				t.Fatal("a shrunk tree passes")
			}
		}
		m.add(t, leaf(size))
		acc.Add(LeafHash(leaf(size)))
	}
}

func testSigner(t testing.TB) (*Signer, note.Verifier) {
	s, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

// TestNoteBytes flips every bit of a signed checkpoint: not one change passes, the
// spare bits of the signature's base64 included.
func TestNoteBytes(t *testing.T) {
	s, v := testSigner(t)
	c := Checkpoint{Origin: s.Name(), Size: 12, Root: LeafHash(nil), Time: time.UnixMilli(1_700_000_000_123).UTC()}
	msg, err := c.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenCheckpoint(msg, v)
	if err != nil || got != c {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range msg {
		for bit := range 8 {
			bad := bytes.Clone(msg)
			bad[i] ^= 1 << bit
			if _, err := OpenCheckpoint(bad, v); err == nil {
				t.Fatalf("bit %d of byte %d can change", bit, i)
			}
		}
	}
	for _, bad := range [][]byte{append(bytes.Clone(msg), '\n'), append([]byte("\n"), msg...), append(bytes.Clone(msg), msg[bytes.LastIndex(msg, []byte("—")):]...), msg[:len(msg)-1]} {
		if _, err := OpenCheckpoint(bad, v); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
	_, other := testSigner(t)
	if _, err := OpenCheckpoint(msg, other); !errors.Is(err, ErrSignature) {
		t.Errorf("another log's key: %v", err)
	}
}

// TestPromiseIsNoCheckpoint: one key signs both, neither passes as the other.
func TestPromiseIsNoCheckpoint(t *testing.T) {
	s, v := testSigner(t)
	p, err := NewPromise("01JD0000000000000000000000", LeafHash(nil), time.Now(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(v); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoint([]byte(p.text()+"\n"+p.Signature+"\n"), v); err == nil {
		t.Error("a promise passes as a checkpoint")
	}
	p.LeafHash = strings.Repeat("0", 64)
	if err := p.Verify(v); !errors.Is(err, ErrSignature) {
		t.Errorf("a promise for another leaf: %v", err)
	}
}

func TestProofFile(t *testing.T) {
	m := &memory{}
	for i := range 11 {
		m.add(t, fmt.Appendf(nil, "leaf %d", i))
	}
	s, v := testSigner(t)
	root, _ := tlog.TreeHash(11, m)
	signed, err := Checkpoint{Origin: s.Name(), Size: 11, Root: root, Time: time.UnixMilli(1_700_000_000_000)}.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tlog.ProveRecord(11, 4, m)
	if err != nil {
		t.Fatal(err)
	}
	data := ProofFile{Index: 4, Proof: p, Checkpoint: signed}.Marshal()
	if !bytes.HasPrefix(data, []byte("c2sp.org/tlog-proof@v1\nindex 4\n")) {
		t.Errorf("%s", data)
	}
	f, err := ParseProofFile(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify([]byte("leaf 4"), v); err != nil {
		t.Error(err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 4
		f, err := ParseProofFile(bad)
		if err == nil {
			_, err = f.Verify([]byte("leaf 4"), v)
		}
		if err == nil {
			t.Fatalf("byte %d can change", i)
		}
	}
}

// TestTilePaths: paths of C2SP tlog-tiles, from its text.
func TestTilePaths(t *testing.T) {
	for path, tile := range map[string]tlog.Tile{
		"tile/0/x001/x234/067":       {H: 8, L: 0, N: 1234067, W: 256},
		"tile/1/000.p/5":             {H: 8, L: 1, N: 0, W: 5},
		"tile/entries/x001/x234/067": {H: 8, L: -1, N: 1234067, W: 256},
		"tile/entries/x273/112.p/17": {H: 8, L: -1, N: 273112, W: 17},
		"tile/63/999":                {H: 8, L: 63, N: 999, W: 256},
	} {
		got, err := ParseTilePath(path)
		if err != nil || got != tile || TilePath(tile) != path {
			t.Errorf("%s: %+v, %v, %s", path, got, err, TilePath(tile))
		}
	}
	for _, bad := range []string{"", "tile/", "tile/8/0/000", "tile/data/000", "tile/0/0", "tile/0/x000/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/entries/../000", "tile/-1/000", "tile/0/000/"} {
		if _, err := ParseTilePath(bad); !errors.Is(err, ErrTile) {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestBundles(t *testing.T) {
	var b []byte
	want := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), MaxLeaf)}
	for _, l := range want {
		b = AppendEntry(b, l)
	}
	got, err := SplitBundle(b)
	if err != nil || len(got) != 3 || !bytes.Equal(got[2], want[2]) {
		t.Errorf("%v", err)
	}
	if _, err := SplitBundle(b[:len(b)-1]); !errors.Is(err, ErrTile) {
		t.Errorf("a cut bundle: %v", err)
	}
}

func TestCommitments(t *testing.T) {
	key, err := RecordKey([]byte("0123456789abcdef"), "01JD0000000000000000000000")
	if err != nil {
		t.Fatal(err)
	}
	c := Commit(key, "input", []byte("a sentence"))
	if err := OpenCommitment(c, key, "input", []byte("a sentence")); err != nil {
		t.Error(err)
	}
	for _, bad := range []func() error{
		func() error { return OpenCommitment(c, key, "output", []byte("a sentence")) },
		func() error { return OpenCommitment(c, key, "input", []byte("a sentence.")) },
		func() error { return OpenCommitment(c, key[1:], "input", []byte("a sentence")) },
	} {
		if !errors.Is(bad(), ErrOpening) {
			t.Error("a commitment opened to something else")
		}
	}
	other, _ := RecordKey([]byte("0123456789abcdef"), "01JD0000000000000000000001")
	if Commit(other, "input", []byte("a sentence")) == c {
		t.Error("two records commit to the same bytes alike")
	}
}

func FuzzParseProofFile(f *testing.F) {
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra eA==\nindex 0\n\nx\n1\nAAAA\n\n— x AAAA\n"))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\nx\n1\nAAAA\n\n— x AAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProofFile(data)
		if err == nil && !bytes.Equal(p.Marshal(), data) {
			t.Error("a second spelling was taken")
		}
	})
}
