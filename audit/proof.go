package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrProof means that a proof does not prove what it is said to.
var ErrProof = errors.New("proof does not hold")

const proofHeader = "c2sp.org/tlog-proof@v1"

// maxProof bounds the hashes of a proof: a tree of 2^62 leaves needs 62.
const maxProof = 63

// VerifyInclusion checks that the leaf hash stands at index in the tree of the
// checkpoint.
func VerifyInclusion(p tlog.RecordProof, c Checkpoint, index int64, leaf tlog.Hash) error {
	if index < 0 || index >= c.Size {
		return fmt.Errorf("audit: index %d is not in a tree of %d leaves: %w", index, c.Size, ErrProof)
	}
	if err := tlog.CheckRecord(p, c.Size, c.Root, index, leaf); err != nil {
		return fmt.Errorf("audit: inclusion of entry %d: %w", index, ErrProof)
	}
	return nil
}

// VerifyConsistency checks that the old tree is a prefix of the new one.
func VerifyConsistency(p tlog.TreeProof, old, now Checkpoint) error {
	if old.Size > now.Size {
		return fmt.Errorf("audit: the newer tree has %d leaves, fewer than the %d of the older: %w", now.Size, old.Size, ErrProof)
	}
	if old.Size == 0 {
		if len(p) != 0 || old.Root != EmptyRoot() {
			return fmt.Errorf("audit: consistency with the empty tree: %w", ErrProof)
		}
		return nil
	}
	if err := tlog.CheckTree(p, now.Size, now.Root, old.Size, old.Root); err != nil {
		return fmt.Errorf("audit: the tree of %d leaves is not a prefix of the tree of %d: %w", old.Size, now.Size, ErrProof)
	}
	return nil
}

// ProofFile is a c2sp.org/tlog-proof@v1 file: index, inclusion proof and signed
// checkpoint, checkable offline with the log's public key.
type ProofFile struct {
	Extra      []byte // application data that nothing vouches for; nil = none
	Index      int64
	Proof      tlog.RecordProof
	Checkpoint []byte // signed note
}

// Marshal returns the file's bytes.
func (f ProofFile) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if f.Extra != nil {
		b.WriteString("extra " + base64.StdEncoding.EncodeToString(f.Extra) + "\n")
	}
	fmt.Fprintf(&b, "index %d\n", f.Index)
	for _, h := range f.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(f.Checkpoint)
	return b.Bytes()
}

// ParseProofFile is the inverse of Marshal; it does not check the proof.
func ParseProofFile(data []byte) (ProofFile, error) {
	bad := func(why string) (ProofFile, error) {
		return ProofFile{}, fmt.Errorf("audit: proof file: %s: %w", why, ErrProof)
	}
	if len(data) > 64<<10 {
		return bad("it is too long")
	}
	head, checkpoint, ok := bytes.Cut(data, []byte("\n\n"))
	if !ok {
		return bad("it has no checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != proofHeader || len(lines)-2 > maxProof {
		return bad("its head is malformed")
	}
	var f ProofFile
	if text, ok := strings.CutPrefix(lines[1], "extra "); ok {
		extra, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(lines) < 3 {
			return bad("its extra line is malformed")
		}
		f.Extra, lines = extra, lines[1:]
	}
	number, ok := strings.CutPrefix(lines[1], "index ")
	index, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || index < 0 {
		return bad("its index is malformed")
	}
	f.Index, f.Checkpoint = index, checkpoint
	for _, l := range lines[2:] {
		h, err := parseHash(l)
		if err != nil {
			return bad("it holds a malformed hash")
		}
		f.Proof = append(f.Proof, h)
	}
	if !bytes.Equal(f.Marshal(), data) {
		return bad("it has a second spelling")
	}
	return f, nil
}

// Verify checks the whole file for a leaf: signature, origin and inclusion.
func (f ProofFile) Verify(leaf []byte, v note.Verifier) (Checkpoint, error) {
	c, err := OpenCheckpoint(f.Checkpoint, v)
	if err != nil {
		return Checkpoint{}, err
	}
	return c, VerifyInclusion(f.Proof, c, f.Index, LeafHash(leaf))
}

// parseHash reads a hash in canonical base64.
func parseHash(s string) (tlog.Hash, error) {
	var h tlog.Hash
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != tlog.HashSize {
		return h, fmt.Errorf("audit: malformed hash: %w", ErrProof)
	}
	copy(h[:], raw)
	return h, nil
}
