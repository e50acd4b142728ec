package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A cosignature (C2SP tlog-cosignature, the Ed25519 form) is a witness's statement
// that, at a time of its own clock, a checkpoint was the largest consistent one it
// had seen of a log.

// algCosignature is the signature type of Ed25519 cosignatures in keys.
const algCosignature = 4

// cosignatureSize is the length of a timestamped signature.
const cosignatureSize = 8 + ed25519.SignatureSize

var reCosigner = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z./_:-]{0,127}$`)

// Cosignature is a verified one.
type Cosignature struct {
	Witness string // key name
	Time    time.Time
}

// cosignedText is what a cosignature signs; text is the whole note body.
func cosignedText(seconds uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), text...)
}

// cosignerHash is the key id of a cosigner.
func cosignerHash(name string, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{algCosignature})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// cosignerKey is the public half of a witness; it is a note.Verifier.
type cosignerKey struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func (k *cosignerKey) Name() string    { return k.name }
func (k *cosignerKey) KeyHash() uint32 { return k.hash }

func (k *cosignerKey) Verify(msg, sig []byte) bool {
	if len(sig) != cosignatureSize || sig[0]&0x80 != 0 { // at most 2^63-1 seconds
		return false
	}
	return ed25519.Verify(k.public, cosignedText(binary.BigEndian.Uint64(sig), msg), sig[8:])
}

// ParseCosignerKey reads a witness's public key: one line NAME+HASH+KEYDATA of
// signature type 4.
func ParseCosignerKey(vkey string) (note.Verifier, error) {
	bad := func() (note.Verifier, error) {
		return nil, fmt.Errorf("audit: not a witness's public key (NAME+HASH+KEYDATA of type 4): %w", ErrKey)
	}
	name, rest, ok := strings.Cut(strings.TrimSpace(vkey), "+")
	sum, data, ok2 := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(data)
	if !ok || !ok2 || err != nil || !reCosigner.MatchString(name) || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return bad()
	}
	k := &cosignerKey{name: name, public: ed25519.PublicKey(raw[1:])}
	k.hash = cosignerHash(name, k.public)
	if fmt.Sprintf("%08x", k.hash) != sum {
		return bad()
	}
	return k, nil
}

// Cosigner is a witness's private key.
type Cosigner struct {
	cosignerKey
	private ed25519.PrivateKey
}

// NewCosigner makes a witness key, kept in memory only.
func NewCosigner(name string) (*Cosigner, error) {
	if !reCosigner.MatchString(name) {
		return nil, fmt.Errorf("audit: a witness's name is 1 to 128 letters, digits, dots, slashes, colons, underscores and hyphens: %w", ErrKey)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("audit: making a witness key: %w", err)
	}
	return &Cosigner{cosignerKey{name, cosignerHash(name, public), public}, private}, nil
}

// OpenCosigner loads the witness key at path, or makes one of the given name.
func OpenCosigner(path, name string) (*Cosigner, error) {
	text, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		c, err := NewCosigner(name)
		if err != nil {
			return nil, err
		}
		line := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", c.name, c.hash, base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, c.private.Seed()...)))
		return c, saveKey(path, line)
	}
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(text, "+", 5)
	bad := fmt.Errorf("audit: the witness key %s is damaged; put it back from a backup: %w", filepath.Base(path), ErrKey)
	if len(parts) != 5 || parts[0] != "PRIVATE" || parts[1] != "KEY" {
		return nil, bad
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != algCosignature || !reCosigner.MatchString(parts[2]) {
		return nil, bad
	}
	private := ed25519.NewKeyFromSeed(raw[1:])
	public := private.Public().(ed25519.PublicKey)
	c := &Cosigner{cosignerKey{parts[2], cosignerHash(parts[2], public), public}, private}
	if fmt.Sprintf("%08x", c.hash) != parts[3] {
		return nil, bad
	}
	return c, nil
}

// VerifierKey is the public half, one line.
func (c *Cosigner) VerifierKey() string {
	return fmt.Sprintf("%s+%08x+%s", c.name, c.hash, base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, c.public...)))
}

// Cosign returns the signature line, with its newline, over a checkpoint's text.
func (c *Cosigner) Cosign(text string, at time.Time) string {
	seconds := uint64(max(at.Unix(), 0))
	sig := binary.BigEndian.AppendUint32(nil, c.hash)
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(c.private, cosignedText(seconds, []byte(text)))...)
	return sigPrefix + c.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// Cosignatures returns those cosignatures on a signed note that verify under one of
// the witnesses, at most one a witness: the newest. A line that bears a witness's
// name and key id but does not verify is ErrSignature; lines of others are ignored.
func Cosignatures(msg []byte, witnesses []note.Verifier) ([]Cosignature, error) {
	if err := checkNoteBytes(msg); err != nil {
		return nil, err
	}
	n, err := note.Open(msg, note.VerifierList(witnesses...))
	var none *note.UnverifiedNoteError
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit: cosignatures: %w: %w", ErrSignature, err)
	}
	var out []Cosignature
	for _, s := range n.Sigs {
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || len(raw) != 4+cosignatureSize {
			continue // a log's own signature: the list held its key too
		}
		c := Cosignature{s.Name, time.Unix(int64(binary.BigEndian.Uint64(raw[4:])&math.MaxInt64), 0).UTC()}
		if i := indexWitness(out, s.Name); i < 0 {
			out = append(out, c)
		} else if c.Time.After(out[i].Time) {
			out[i] = c
		}
	}
	return out, nil
}

func indexWitness(list []Cosignature, name string) int {
	for i, c := range list {
		if c.Witness == name {
			return i
		}
	}
	return -1
}

// TakeCosignatures appends to a signed note those lines of a witness's answer that
// verify under its key, and reports how many did. Whatever else the answer holds is
// dropped.
func TakeCosignatures(signed, answer []byte, witness note.Verifier) ([]byte, int) {
	out, taken := append([]byte(nil), signed...), 0
	body := bytes.LastIndex(signed, []byte("\n\n")) + 2
	if body < 2 {
		return out, 0
	}
	for _, line := range strings.SplitAfter(string(answer), "\n") {
		if !strings.HasPrefix(line, sigPrefix) || !strings.HasSuffix(line, "\n") || strings.Contains(string(out), line) {
			continue
		}
		alone := append(append([]byte(nil), signed[:body]...), line...)
		if got, err := Cosignatures(alone, []note.Verifier{witness}); err == nil && len(got) == 1 {
			out, taken = append(out, line...), taken+1
		}
	}
	return out, taken
}

// TextDigest is the SHA-256, in hexadecimal, of what a checkpoint says without its
// signatures: how the root log names it.
func (c Checkpoint) TextDigest() string {
	sum := sha256.Sum256([]byte(c.Text()))
	return hex.EncodeToString(sum[:])
}
