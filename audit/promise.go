package audit

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// PromiseDelay is the time within which a promised event is in the log.
const PromiseDelay = 5 * time.Second

// Promise is what a caller gets at once: the log's signed word that the event
// will be included within PromiseDelay. Signature is the signature line of a
// note over the promise's text.
type Promise struct {
	Event     string `json:"event"`
	LeafHash  string `json:"leaf_hash"` // hex
	Log       string `json:"log"`       // origin
	Time      string `json:"time"`
	Status    string `json:"status"` // Pending or Included
	Signature string `json:"signature"`
	URL       string `json:"url,omitempty"`
}

// States of a receipt.
const (
	Pending  = "pending"
	Included = "included"
)

// text is what is signed. Its first line differs from every checkpoint's, which
// begins with the origin, so that neither can be shown as the other.
func (p Promise) text() string {
	return "vitrine/promise@v1\n" + p.Log + "\n" + p.Event + "\n" + p.LeafHash + "\n" + p.Time + "\n"
}

// NewPromise signs the promise to include a leaf.
func NewPromise(eventID string, leaf tlog.Hash, at time.Time, s note.Signer) (Promise, error) {
	p := Promise{Event: eventID, LeafHash: hex.EncodeToString(leaf[:]), Log: s.Name(), Time: FormatTime(at), Status: Pending}
	msg, err := SignNote(p.text(), s)
	if err != nil {
		return Promise{}, err
	}
	p.Signature = signatureLine(msg)
	return p, nil
}

// Verify checks the signature of a promise.
func (p Promise) Verify(v note.Verifier) error {
	if p.Log != v.Name() {
		return fmt.Errorf("audit: the promise is of another log: %w", ErrSignature)
	}
	_, err := OpenNote([]byte(p.text()+"\n"+p.Signature+"\n"), v)
	return err
}

// Receipt is the promise kept: where the event stands in the log, with the proof.
// While Status is Pending only the promise's fields are set.
type Receipt struct {
	Promise
	Index      *int64   `json:"index,omitempty"`
	Size       int64    `json:"size,omitempty"`       // leaves of the tree the proof is in
	Proof      []string `json:"proof,omitempty"`      // base64 hashes, leaf to root
	Checkpoint string   `json:"checkpoint,omitempty"` // signed note
}

// Verify checks promise, checkpoint and proof of an included receipt.
func (r Receipt) Verify(v note.Verifier) error {
	if err := r.Promise.Verify(v); err != nil {
		return err
	}
	if r.Status != Included || r.Index == nil {
		return fmt.Errorf("audit: the event is promised, not yet included: %w", ErrProof)
	}
	c, err := OpenCheckpoint([]byte(r.Checkpoint), v)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, s := range r.Proof {
		h, err := parseHash(s)
		if err != nil {
			return err
		}
		proof = append(proof, h)
	}
	var leaf tlog.Hash
	raw, err := hex.DecodeString(r.LeafHash)
	if err != nil || len(raw) != len(leaf) {
		return fmt.Errorf("audit: the receipt's leaf hash is malformed: %w", ErrProof)
	}
	copy(leaf[:], raw)
	return VerifyInclusion(proof, c, *r.Index, leaf)
}

// File returns the receipt as a c2sp.org/tlog-proof@v1 file, or nil while pending.
func (r Receipt) File() []byte {
	if r.Index == nil {
		return nil
	}
	f := ProofFile{Index: *r.Index, Checkpoint: []byte(r.Checkpoint)}
	for _, s := range r.Proof {
		h, err := parseHash(s)
		if err != nil {
			return nil
		}
		f.Proof = append(f.Proof, h)
	}
	return f.Marshal()
}

// EncodeProof writes a proof's hashes as receipts hold them.
func EncodeProof(p tlog.RecordProof) []string {
	out := make([]string, len(p))
	for i, h := range p {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}
