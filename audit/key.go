package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/oklog/ulid/v2"
	"golang.org/x/mod/sumdb/note"
)

// ErrKey means that a key file is missing, malformed or open to others.
var ErrKey = errors.New("key cannot be used")

// Signer signs for one log. It is a note.Signer so that the key may live
// elsewhere; VerifierKey is the public half, NAME+HASH+KEYDATA.
type Signer struct {
	note.Signer
	VerifierKey string
}

// Verifier returns the public half.
func (s *Signer) Verifier() (note.Verifier, error) { return ParseVerifierKey([]byte(s.VerifierKey)) }

// NewSigner makes a key, kept in memory only, for a new log with a random id, so
// that neither the workspace nor the organisation can be read from it.
func NewSigner() (*Signer, error) {
	skey, err := newKey()
	if err != nil {
		return nil, err
	}
	return parseSigner(skey)
}

func newKey() (string, error) {
	return keyNamed("vitrine.local/log/" + strings.ToLower(ulid.Make().String()))
}

func keyNamed(name string) (string, error) {
	skey, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", fmt.Errorf("audit: making a log key: %w", err)
	}
	return skey, nil
}

// readKey reads a private key file, trimmed. A file that does not exist gives
// fs.ErrNotExist; one that other accounts can read gives ErrKey.
func readKey(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("audit: reading the log key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("audit: the log key %s can be read by other accounts; run chmod 600 on it: %w", filepath.Base(path), ErrKey)
	}
	if info.Size() > 4096 {
		return "", fmt.Errorf("audit: the log key %s is not a key file: %w", filepath.Base(path), ErrKey)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("audit: reading the log key: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// LoadSigner reads a signer's key file; its errors are those of a missing, open or
// damaged key: fs.ErrNotExist, ErrKey.
func LoadSigner(path string) (*Signer, error) {
	text, err := readKey(path)
	if err != nil {
		return nil, err
	}
	s, err := parseSigner(text)
	if err != nil {
		return nil, fmt.Errorf("audit: the log key %s is damaged; put it back from a backup: %w", filepath.Base(path), ErrKey)
	}
	return s, nil
}

// saveKey writes a private key with mode 0600 in a folder of mode 0700. It never
// replaces a key.
func saveKey(path, skey string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("audit: writing the log key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("audit: writing the log key: %w", err)
	}
	_, err = f.WriteString(skey + "\n")
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("audit: writing the log key: %w", err)
	}
	return nil
}

// CreateSigner makes a new log key and writes it to path, which must not exist.
func CreateSigner(path string) (*Signer, error) {
	skey, err := newKey()
	if err != nil {
		return nil, err
	}
	if err := saveKey(path, skey); err != nil {
		return nil, err
	}
	return parseSigner(skey)
}

// CreateSuccessor makes another key for the log of the given name and writes it to
// path, which must not exist.
func CreateSuccessor(path, name string) (*Signer, error) {
	skey, err := keyNamed(name)
	if err != nil {
		return nil, err
	}
	if err := saveKey(path, skey); err != nil {
		return nil, err
	}
	return parseSigner(skey)
}

// OpenSigner loads the key at path, or creates it where there is none and may is
// true.
func OpenSigner(path string, may bool) (*Signer, error) {
	s, err := LoadSigner(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !may {
			return nil, fmt.Errorf("audit: the log key %s is missing; put it back from a backup, the log cannot go on with another: %w", filepath.Base(path), ErrKey)
		}
		return CreateSigner(path)
	}
	return s, err
}

func parseSigner(skey string) (*Signer, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, fmt.Errorf("audit: log key: %w", ErrKey)
	}
	// PRIVATE+KEY+NAME+HASH+DATA, data = algorithm byte and seed.
	parts := strings.SplitN(skey, "+", 5)
	data, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(data) != 33 {
		return nil, fmt.Errorf("audit: log key: %w", ErrKey)
	}
	public := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return nil, fmt.Errorf("audit: log key: %w", ErrKey)
	}
	return &Signer{Signer: signer, VerifierKey: vkey}, nil
}

// ParseVerifierKey reads a public key file: one line NAME+HASH+KEYDATA.
func ParseVerifierKey(data []byte) (note.Verifier, error) {
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("audit: not a log's public key (one line NAME+HASH+KEYDATA): %w", ErrKey)
	}
	return v, nil
}

// Fingerprint is a short name of a public key: the first 16 bytes of the SHA-256
// of its key data, in hexadecimal.
func Fingerprint(vkey string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(vkey), "+")
	_, data, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}
