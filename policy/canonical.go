package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gowebpki/jcs"
)

// format names the layout of Bytes; a change of meaning gets a new name.
const format = "vitrine-policy/1"

// maxBytes bounds what Parse reads.
const maxBytes = 64 << 20

// ErrSnapshot is wrapped by every error about snapshot bytes.
var ErrSnapshot = errors.New("policy: invalid snapshot")

// document and the types in it name their members in the order of RFC 8785, so
// that encoding/json writes the canonical form at once.
type document struct {
	Format    string     `json:"format"`
	Groups    []Grouping `json:"groups"`
	Model     string     `json:"model"`
	Rules     []Rule     `json:"rules"`
	Version   int64      `json:"version"`
	Workspace string     `json:"workspace"`
}

// seal computes bytes and hash.
func (s *Snapshot) seal() error {
	doc := document{Format: format, Workspace: s.workspace, Version: s.version, Model: modelText, Rules: s.Rules(), Groups: s.groups}
	if doc.Groups == nil {
		doc.Groups = []Grouping{}
	}
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("policy: encoding: %w", err)
	}
	s.bytes = bytes.TrimSuffix(raw.Bytes(), []byte("\n"))
	// The line and paragraph separators are all that encoding/json escapes and RFC 8785 does not.
	if bytes.Contains(s.bytes, []byte(`\u202`)) {
		var err error
		if s.bytes, err = jcs.Transform(s.bytes); err != nil {
			return fmt.Errorf("policy: canonical form: %w", err)
		}
	}
	sum := sha256.Sum256(s.bytes)
	s.hash = hex.EncodeToString(sum[:])
	return nil
}

// Parse reads what Bytes wrote. Bytes that are not exactly the canonical form
// of a valid policy are refused with ErrSnapshot, so that a hash names one
// policy and no other spelling of it.
func Parse(data []byte) (*Snapshot, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrSnapshot, maxBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var doc document
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrSnapshot, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: bytes after the end", ErrSnapshot)
	}
	if doc.Format != format {
		return nil, fmt.Errorf("%w: format %s is not %s", ErrSnapshot, quote(doc.Format), format)
	}
	if doc.Model != modelText {
		return nil, fmt.Errorf("%w: it was made for another evaluation model", ErrSnapshot)
	}
	s, err := Compile(doc.Version, doc.Rules, doc.Groups)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if !bytes.Equal(s.bytes, data) {
		return nil, fmt.Errorf("%w: not in canonical form", ErrSnapshot)
	}
	return s, nil
}

// Redecider evaluates packed decisions again. It remembers the last snapshot it
// parsed, because a log's entries come in runs of one policy version. Safe for
// concurrent use.
type Redecider struct {
	mu   sync.Mutex
	hash [sha256.Size]byte
	last *Snapshot
}

// Redecide evaluates the request, the JSON form of Request, against the
// snapshot bytes and returns the effect and the ids of the rules that took
// part. An error means that bytes or request cannot be read, never a denial.
func (d *Redecider) Redecide(snapshot, request []byte) (effect string, ruleIDs []string, err error) {
	s, err := d.parse(snapshot)
	if err != nil {
		return "", nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(request))
	dec.DisallowUnknownFields()
	var r Request
	if err := dec.Decode(&r); err != nil {
		return "", nil, fmt.Errorf("policy: reading a request: %w", err)
	}
	out := s.Decide(r)
	return out.Effect, out.RuleIDs, nil
}

func (d *Redecider) parse(snapshot []byte) (*Snapshot, error) {
	sum := sha256.Sum256(snapshot)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil && d.hash == sum {
		return d.last, nil
	}
	s, err := Parse(snapshot)
	if err != nil {
		return nil, err
	}
	d.hash, d.last = sum, s
	return s, nil
}
