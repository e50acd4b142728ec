package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func cosigner(t testing.TB, name string) *Cosigner {
	t.Helper()
	c, err := NewCosigner(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signedHead(t testing.TB) (*Signer, Checkpoint, []byte) {
	t.Helper()
	s, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	c := Checkpoint{Origin: s.Name(), Size: 3, Root: LeafHash([]byte("x")), Time: time.UnixMilli(1_760_000_000_123)}
	signed, err := c.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, c, signed
}

// TestCosignatureIsThatOfTheStandard rebuilds the signed message of tlog-cosignature
// byte by byte.
func TestCosignatureIsThatOfTheStandard(t *testing.T) {
	_, c, _ := signedHead(t)
	w := cosigner(t, "witness.example/w1")
	line := w.Cosign(c.Text(), time.Unix(1679315147, 0))
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(line, "— witness.example/w1 "), "\n"))
	if err != nil || len(raw) != 4+8+64 {
		t.Fatal(line, err)
	}
	if binary.BigEndian.Uint64(raw[4:]) != 1679315147 {
		t.Error("the timestamp is not big-endian seconds")
	}
	msg := "cosignature/v1\ntime 1679315147\n" + c.Text()
	if !ed25519.Verify(w.public, []byte(msg), raw[12:]) {
		t.Error("another message was signed")
	}
}

func TestCosignatures(t *testing.T) {
	_, c, signed := signedHead(t)
	w1, w2 := cosigner(t, "w1.example"), cosigner(t, "w2.example")
	v1, err := ParseCosignerKey(w1.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_760_000_000, 0).UTC()
	answer := w2.Cosign(c.Text(), at) + w1.Cosign(c.Text(), at) + "— w1.example AAAA\nrubbish\n"
	with, n := TakeCosignatures(signed, []byte(answer), v1)
	if n != 1 || !bytes.HasPrefix(with, signed) {
		t.Fatalf("%d taken: %q", n, with)
	}
	got, err := Cosignatures(with, []note.Verifier{v1})
	if err != nil || len(got) != 1 || got[0] != (Cosignature{"w1.example", at}) {
		t.Fatal(got, err)
	}
	if again, n := TakeCosignatures(with, []byte(answer), v1); n != 0 || !bytes.Equal(again, with) {
		t.Error("a line was taken twice")
	}
	// The cosignature of another text, under the same name and key.
	other := append(append([]byte(nil), signed...), w1.Cosign("another\n", at)...)
	if _, err := Cosignatures(other, []note.Verifier{v1}); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	for i := range with {
		if i < len(signed) {
			continue
		}
		bad := bytes.Clone(with)
		bad[i] ^= 1
		if got, err := Cosignatures(bad, []note.Verifier{v1}); err == nil && len(got) == 1 {
			t.Fatalf("byte %d may change unseen", i)
		}
	}
}

func TestCosignerKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness.key")
	a, err := OpenCosigner(path, "w.example")
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenCosigner(path, "another.example")
	if err != nil || b.VerifierKey() != a.VerifierKey() {
		t.Fatal(err)
	}
	if _, err := ParseCosignerKey(strings.Replace(a.VerifierKey(), "w.example", "x.example", 1)); !errors.Is(err, ErrKey) {
		t.Error("a renamed key was taken")
	}
}

func TestTrustPolicy(t *testing.T) {
	s, c, signed := signedHead(t)
	var w []*Cosigner
	text := "# ours\nlog " + s.VerifierKey + " https://log.example/x/\n"
	for i := range 4 {
		w = append(w, cosigner(t, fmt.Sprintf("w%d.example", i)))
		text += fmt.Sprintf("witness W%d %s\n", i, w[i].VerifierKey())
	}
	text += "group A 2 W0 W1 W2\n group B any W3\t\ngroup both all A B\n"
	p, err := ParseTrust([]byte(text + "quorum both\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Logs[0].URL != "https://log.example/x" || len(p.Witnesses) != 4 {
		t.Error(p)
	}
	for _, x := range []struct {
		by     []int
		enough bool
	}{{nil, false}, {[]int{0, 1}, false}, {[]int{0, 3}, false}, {[]int{1, 2, 3}, true}, {[]int{0, 1, 2, 3}, true}} {
		msg := string(signed)
		for _, i := range x.by {
			msg += w[i].Cosign(c.Text(), time.Unix(1, 0))
		}
		by, enough, err := p.Witnessed([]byte(msg))
		if err != nil || enough != x.enough || len(by) != len(x.by) {
			t.Errorf("%v: %v %v %v", x.by, by, enough, err)
		}
	}
	for name, bad := range map[string]string{
		"no quorum":       text,
		"two quorums":     text + "quorum A\nquorum B\n",
		"unknown quorum":  text + "quorum C\n",
		"member twice":    text + "group C any W0\nquorum C\n",
		"threshold":       "witness W " + w[0].VerifierKey() + "\ngroup C 2 W\nquorum C\n",
		"key twice":       text + "witness X " + w[0].VerifierKey() + "\nquorum none\n",
		"a log's key":     "witness W " + s.VerifierKey + "\nquorum none\n",
		"a witness's key": "log " + w[0].VerifierKey() + "\nquorum none\n",
		"none as a name":  "witness none " + w[0].VerifierKey() + "\nquorum none\n",
		"unknown word":    "monitor x\nquorum none\n",
		"control":         "quorum none\x00\n",
		"address":         "log " + s.VerifierKey + " file:///etc/passwd\nquorum none\n",
		"forward":         "group C any W0\n" + text + "quorum none\n",
	} {
		if _, err := ParseTrust([]byte(bad)); !errors.Is(err, ErrTrust) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := ParseTrust([]byte("quorum none\n")); err != nil {
		t.Error(err)
	} else if _, enough, err := p.Witnessed(signed); err != nil || !enough {
		t.Error("a policy without witnesses asks for some", err)
	}
}

// TestContinues walks through the answers of tlog-witness.
func TestContinues(t *testing.T) {
	m := &memory{}
	for i := range 10 {
		m.add(t, fmt.Appendf(nil, "leaf %d", i))
	}
	at := func(size int64) Foreign {
		root, err := tlog.TreeHash(size, m)
		if err != nil {
			t.Fatal(err)
		}
		return Foreign{Origin: "x", Size: size, Root: root}
	}
	proof := func(old, now int64) tlog.TreeProof {
		p, err := tlog.ProveTree(now, old, m)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	four, ten := at(4), at(10)
	forged := four
	forged.Root[0] ^= 1
	for name, x := range map[string]struct {
		a      AddCheckpoint
		before *Foreign
		now    Foreign
		want   error
	}{
		"first":          {AddCheckpoint{}, nil, ten, nil},
		"first, proof":   {AddCheckpoint{Proof: proof(4, 10)}, nil, ten, ErrProof},
		"first, old":     {AddCheckpoint{Old: 4, Proof: proof(4, 10)}, nil, ten, ErrStale},
		"next":           {AddCheckpoint{Old: 4, Proof: proof(4, 10)}, &four, ten, nil},
		"stale":          {AddCheckpoint{Old: 3, Proof: proof(3, 10)}, &four, ten, ErrStale},
		"backwards":      {AddCheckpoint{Old: 10}, &ten, four, ErrAddCheckpoint},
		"other tree":     {AddCheckpoint{Old: 4, Proof: proof(4, 10)}, &forged, ten, ErrProof},
		"proof too few":  {AddCheckpoint{Old: 4, Proof: proof(4, 10)[1:]}, &four, ten, ErrProof},
		"same size":      {AddCheckpoint{Old: 4}, &four, four, nil},
		"same size, two": {AddCheckpoint{Old: 4}, &four, forged, ErrStale},
	} {
		if err := x.a.Continues(x.before, x.now); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSuccession(t *testing.T) {
	dir := t.TempDir()
	old, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	now, err := CreateSuccessor(filepath.Join(dir, "next"), old.Name())
	if err != nil {
		t.Fatal(err)
	}
	s := Succession{Old: old.VerifierKey, New: now.VerifierKey, Time: time.UnixMilli(1_760_000_000_000).UTC()}
	msg, err := s.Sign(old, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenSuccession(msg); err != nil || got != s {
		t.Fatal(got, err)
	}
	for i := range msg {
		bad := bytes.Clone(msg)
		bad[i] ^= 1
		if _, err := OpenSuccession(bad); err == nil {
			t.Fatalf("byte %d may change unseen", i)
		}
	}
	alone, err := s.Sign(now, now)
	if err == nil {
		if _, err := OpenSuccession(alone); err == nil {
			t.Error("the new key alone made itself the successor")
		}
	}
}

func FuzzParseTrust(f *testing.F) {
	s, _ := NewSigner()
	f.Add([]byte("log " + s.VerifierKey + "\nquorum none\n"))
	f.Add([]byte("witness a b\ngroup g 1 a\nquorum g"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseTrust(data)
		if err == nil {
			p.Witnessed([]byte("x\n\n— a AAAA\n"))
		} else if !errors.Is(err, ErrTrust) {
			t.Error(err)
		}
	})
}

func FuzzParseAddCheckpoint(f *testing.F) {
	f.Add(AddCheckpoint{Old: 3, Proof: tlog.TreeProof{LeafHash(nil)}, Checkpoint: []byte("x\n1\n")}.Marshal())
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAddCheckpoint(data)
		if err == nil && !bytes.Equal(a.Marshal(), data) {
			t.Error("a second spelling")
		}
	})
}
