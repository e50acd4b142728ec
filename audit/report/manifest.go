package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"github.com/gowebpki/jcs"
	"golang.org/x/mod/sumdb/note"

	"vitrine/audit"
)

// Format and Version say what a pack is and how it is laid out.
const (
	Format  = "vitrine-evidence-pack"
	Version = 1
)

// The files of a pack.
const (
	fileManifest    = "manifest.json"
	fileSignature   = "manifest.sig"
	fileCheckpoint  = "checkpoint"
	filePrevious    = "previous-checkpoint"
	fileHourly      = "checkpoints.jsonl"
	fileEvents      = "events.jsonl"
	fileCSV         = "events.csv"
	fileOCSF        = "events.ocsf.jsonl"
	fileKey         = "keys/log.pub"
	fileRootKey     = "keys/root.pub"
	fileTrust       = "keys/trust-policy"
	fileRootEntry   = "root/entry.json"
	fileRootProof   = "root/entry.tlog-proof"
	folderKeys      = "keys/succession/"
	fileReport      = "report.html"
	filePrint       = "report.pdf"
	fileVerify      = "VERIFY.md"
	folderPolicies  = "policies/"
	folderModels    = "models/"
	folderProofs    = "proofs/"
	proofSuffix     = ".tlog-proof"
	maxManifest     = 64 << 20
	maxSmall        = 1 << 20  // checkpoint, key, signature, one proof
	maxPolicy       = 64 << 20 // one policy snapshot
	maxPackedFiles  = 1 << 20
	maxEntryProofs  = 1000 // above it, tiles alone carry the proofs
	signatureHeader = "vitrine/manifest@v1"
)

// Manifest lists every file of a pack but itself and its signature.
type Manifest struct {
	Format      string `json:"format"`
	Version     int    `json:"version"`
	Log         string `json:"log"`
	Workspace   string `json:"workspace"`
	Created     string `json:"created"`
	From        string `json:"from,omitempty"` // asked for
	To          string `json:"to,omitempty"`
	First       int64  `json:"first"` // index of the first entry
	Events      int64  `json:"events"`
	Size        int64  `json:"size"` // leaves of the checkpoint's tree
	EntryProofs bool   `json:"entry_proofs"`
	Files       []File `json:"files"` // sorted by path
}

// File is one file of a pack.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

var (
	reDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
	rePath   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
)

var errManifest = errors.New("malformed manifest")

// bytes returns the manifest as canonical JSON with a final newline.
func (m Manifest) bytes() ([]byte, error) {
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	out, err := jcs.Transform(raw)
	return append(out, '\n'), err
}

// parseManifest is the inverse; any second spelling is refused. It does not look at
// Format and Version beyond decoding them.
func parseManifest(data []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%w: %w", errManifest, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return m, fmt.Errorf("%w: bytes after the value", errManifest)
	}
	if len(m.Files) > maxPackedFiles || m.First < 0 || m.Events < 0 || m.Size < 0 || m.First > m.Size || m.Events > m.Size-m.First {
		return m, fmt.Errorf("%w: numbers out of range", errManifest)
	}
	previous := ""
	for _, f := range m.Files {
		if !rePath.MatchString(f.Path) || strings.Contains(f.Path, "..") || f.Size < 0 || !reDigest.MatchString(f.SHA256) || f.Path <= previous {
			return m, fmt.Errorf("%w: its list of files", errManifest)
		}
		previous = f.Path
	}
	again, err := m.bytes()
	if err != nil || !bytes.Equal(again, data) {
		return m, fmt.Errorf("%w: not in canonical form", errManifest)
	}
	return m, nil
}

// signatureText is the text of the note in manifest.sig.
func signatureText(origin string, manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return signatureHeader + "\n" + origin + "\n" + hex.EncodeToString(sum[:]) + "\n"
}

func signManifest(manifest []byte, s note.Signer) ([]byte, error) {
	return audit.SignNote(signatureText(s.Name(), manifest), s)
}

// checkManifest verifies manifest.sig.
func checkManifest(manifest, signature []byte, v note.Verifier) error {
	text, err := audit.OpenNote(signature, v)
	if err != nil {
		return err
	}
	if text != signatureText(v.Name(), manifest) {
		return fmt.Errorf("audit/report: the signature is for another manifest: %w", audit.ErrSignature)
	}
	return nil
}
