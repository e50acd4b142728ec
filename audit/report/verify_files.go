package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// contents checks everything below a parsed manifest.
func (v *verifier) contents() {
	v.files()
	v.checkpoint()
	v.events()
	v.proofs()
	v.heads()
	v.root()
	v.reconcile()
}

// files hashes every listed file and looks for others.
func (v *verifier) files() {
	before := len(v.r.Findings)
	v.listed = map[string]File{}
	for _, f := range v.m.Files {
		v.listed[f.Path] = f
		if !streamed[f.Path] {
			v.file(f)
		}
	}
	for _, n := range v.a.names {
		if _, ok := v.listed[n]; !ok && n != fileManifest && n != fileSignature {
			v.tampered(CodeUnlisted, n, -1, "is not listed in the manifest")
		}
	}
	for _, n := range []string{fileCheckpoint, fileKey, fileEvents, fileCSV, fileOCSF, fileHourly, fileVerify} {
		if _, ok := v.listed[n]; !ok {
			v.tampered(CodeMissing, n, -1, "every pack has it, this manifest does not list it")
		}
	}
	v.check("files", before, int64(len(v.m.Files)))
}

// streamed are the files that one pass reads, hashes and compares with each other.
var streamed = map[string]bool{fileEvents: true, fileCSV: true, fileOCSF: true}

func (v *verifier) file(f File) {
	if c := v.stream(f); c != nil {
		c.done()
	}
}

// checkedReader reads a listed file and hashes what it reads.
type checkedReader struct {
	v    *verifier
	f    File
	r    io.ReadCloser
	left int64
	sum  hash.Hash
	err  error
}

// stream opens a listed file; nil after a finding.
func (v *verifier) stream(f File) *checkedReader {
	open := v.a.files[f.Path]
	if open == nil {
		v.tampered(CodeMissing, f.Path, -1, "is missing")
		return nil
	}
	r, err := open()
	if err != nil {
		v.tampered(CodeAltered, f.Path, -1, "cannot be read")
		return nil
	}
	return &checkedReader{v: v, f: f, r: r, left: f.Size, sum: sha256.New()}
}

func (c *checkedReader) Read(p []byte) (int, error) {
	if c.err != nil || c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.sum.Write(p[:n])
	c.left -= int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// done reads what is left, closes the file and says whether it is the one listed; a
// finding says what is not.
func (c *checkedReader) done() bool {
	defer c.r.Close()
	_, err := io.Copy(io.Discard, c)
	// One read more: a file must end here, and a ZIP's checksum is compared at its end.
	var one [1]byte
	n, end := io.ReadFull(c.r, one[:])
	if err == nil && c.err == nil && c.left == 0 && n == 0 && end == io.EOF && hex.EncodeToString(c.sum.Sum(nil)) == c.f.SHA256 {
		return true
	}
	c.v.tampered(CodeAltered, c.f.Path, -1, "is not the file that was signed")
	return false
}

// checkpoint checks the head and makes the authenticated tree.
func (v *verifier) checkpoint() {
	before := len(v.r.Findings)
	data, ok := v.small(fileCheckpoint, maxSmall)
	if !ok {
		v.broken = audit.ErrCheckpoint
		return
	}
	head, err := audit.OpenCheckpoint(data, v.key)
	switch {
	case err != nil:
		v.tampered(CodeSignature, fileCheckpoint, -1, "its signature does not hold")
		v.broken = err
	case head.Size != v.m.Size:
		v.tampered(CodeRoot, fileCheckpoint, -1, "is for %d entries, the manifest says %d", head.Size, v.m.Size)
	}
	v.head = head
	v.r.Signed = audit.FormatTime(head.Time)
	v.tree = newTree(head, newTiles(v.tile, nil))
	v.check("checkpoint", before, head.Size)
}

// tile reads a tile of the pack. tlog authenticates it.
func (v *verifier) tile(t tlog.Tile) ([]byte, error) {
	path := audit.TilePath(t)
	open := v.a.files[path]
	if open == nil {
		return nil, fmt.Errorf("%s is missing", path)
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	want := t.W * tlog.HashSize
	data, err := io.ReadAll(io.LimitReader(f, int64(want)+1))
	if err == nil && len(data) != want {
		err = fmt.Errorf("%s does not have %d hashes", path, t.W)
	}
	return data, err
}

// proofs checks the proof files of single entries.
func (v *verifier) proofs() {
	before := len(v.r.Findings)
	n := int64(0)
	for _, f := range v.m.Files {
		if !strings.HasPrefix(f.Path, folderProofs) {
			continue
		}
		n++
		data, ok := v.small(f.Path, maxSmall)
		if !ok {
			continue
		}
		p, err := audit.ParseProofFile(data)
		if err != nil || proofPath(p.Index) != f.Path {
			v.tampered(CodeAltered, f.Path, -1, "is not the proof of its entry")
			continue
		}
		c, err := audit.OpenCheckpoint(p.Checkpoint, v.key)
		if err != nil || c != v.head {
			v.tampered(CodeSignature, f.Path, p.Index, "its checkpoint is not that of the pack")
			continue
		}
		if v.broken != nil {
			continue
		}
		if hash, err := v.tree.leaf(p.Index); err == nil {
			if audit.VerifyInclusion(p.Proof, c, p.Index, hash) != nil {
				v.tampered(CodeAltered, f.Path, p.Index, "the proof does not hold")
			}
		}
	}
	if v.m.EntryProofs && n != v.m.Events {
		v.tampered(CodeMissing, folderProofs, -1, "%d entries have %d proof files", v.m.Events, n)
	}
	v.check("proofs", before, n)
}

// heads checks that the signed tree continues every packed checkpoint.
func (v *verifier) heads() {
	before := len(v.r.Findings)
	n := int64(0)
	if _, ok := v.listed[filePrevious]; ok {
		if data, ok := v.small(filePrevious, maxSmall); ok {
			v.older(filePrevious, data)
			n++
		}
	}
	n += v.hourly()
	if v.opt.Previous != "" {
		v.previous()
		n++
	}
	v.check("consistency", before, n)
}

func (v *verifier) hourly() (n int64) {
	open := v.a.files[fileHourly]
	if open == nil {
		return 0 // said by files
	}
	f, err := open()
	if err != nil {
		return 0
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxSmall)
	var last audit.Checkpoint
	for s.Scan() {
		var line hourlyLine
		err := json.Unmarshal(s.Bytes(), &line)
		again, _ := json.Marshal(line)
		if err != nil || !bytes.Equal(again, s.Bytes()) {
			v.tampered(CodeAltered, fileHourly, -1, "line %d is malformed", n+1)
			return n
		}
		c, ok := v.older(fileHourly, []byte(line.Checkpoint))
		if ok && (c.Size < last.Size || c.Time.Before(last.Time)) {
			v.tampered(CodeOrder, fileHourly, -1, "line %d is older than the one before", n+1)
		}
		v.silence(last, c)
		last = c
		n++
	}
	v.silence(last, v.head)
	if s.Err() != nil {
		v.tampered(CodeAltered, fileHourly, -1, "cannot be read")
	}
	return n
}

func (v *verifier) older(file string, signed []byte) (audit.Checkpoint, bool) {
	c, err := v.openOlder(signed)
	if err != nil {
		v.tampered(CodeSignature, file, -1, "the signature of a checkpoint does not hold")
		return c, false
	}
	if v.broken != nil {
		return c, true
	}
	if err := v.tree.holds(c); err != nil {
		v.tampered(CodeRoot, file, c.Size-1, "the signed tree does not continue the checkpoint of %d entries", c.Size)
		return c, false
	}
	return c, true
}

// reconcile says something about tiles that could not be used where no file was
// found altered: the manifest itself then left them out.
func (v *verifier) reconcile() {
	if v.broken != nil && len(v.r.Findings) == 0 {
		v.tampered(CodeMissing, "tile", -1, "the hashes that tie the entries to the checkpoint do not hold")
	}
}
