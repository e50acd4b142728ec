package privacy

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/oklog/ulid/v2"
)

var (
	// ErrErased: the subject's key does not exist (any more); what was sealed
	// with it cannot be read by anybody.
	ErrErased = errors.New("privacy: the key of this data subject does not exist")
	// ErrSealed: sealed bytes do not open: altered, moved to another record or
	// field, or sealed under another root key.
	ErrSealed = errors.New("privacy: sealed data does not open")
	// ErrRootKey: the root key is missing, unreadable or not the one that the
	// stored keys were wrapped with.
	ErrRootKey = errors.New("privacy: the root key does not fit")
)

// KeySize is the size of every key in bytes (AES-256).
const KeySize = 32

// KeyStore keeps wrapped keys. Name is "" for the key of the workspace itself.
// Put must have the key on disk when it returns and must not replace one that
// is there: it returns the wrapped key that is in force.
type KeyStore interface {
	GetKey(ctx context.Context, workspace, name string) (wrapped []byte, ok bool, err error)
	PutKey(ctx context.Context, workspace, name string, wrapped []byte) (inForce []byte, err error)
	DeleteKey(ctx context.Context, workspace, name string) error
}

// Vault encrypts with one key per data subject. Subject keys are wrapped by the
// workspace's key, that by the root key. Safe for concurrent use.
type Vault struct {
	root  []byte
	store KeyStore

	mu       sync.Mutex
	cache    map[[2]string][]byte // at most maxCached unwrapped keys
	erasures int                  // a key read before an erasure is not cached behind it
}

const maxCached = 1024

// NewVault makes a vault over a root key of KeySize bytes.
func NewVault(root []byte, store KeyStore) (*Vault, error) {
	if len(root) != KeySize {
		return nil, fmt.Errorf("%w: it has %d bytes, not %d", ErrRootKey, len(root), KeySize)
	}
	return &Vault{root: append([]byte(nil), root...), store: store, cache: map[[2]string][]byte{}}, nil
}

// Ref says where a sealed value belongs. Sealed bytes open only under the same
// Ref, so that a value cannot be moved to another record or person.
type Ref struct {
	Workspace, Subject, Record, Field string
}

func (r Ref) bytes() []byte {
	b := []byte("vitrine/seal/v1")
	for _, s := range []string{r.Workspace, r.Subject, r.Record, r.Field} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// NewSubject is a fresh data subject for a call that names none.
func NewSubject() string { return "subject:" + ulid.Make().String() }

// Pseudonym is the stable id of a named data subject: a keyed hash of the name
// in the form of an opaque id. Without the workspace's key a name cannot be
// tried against it.
func (v *Vault) Pseudonym(ctx context.Context, workspace, name string) (string, error) {
	key, err := v.workspaceKey(ctx, workspace)
	if err != nil {
		return "", err
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte("vitrine/subject/v1\x00" + name))
	return "subject:" + ulid.ULID(m.Sum(nil)[:16]).String(), nil
}

// SubjectKey returns the subject's key, made on first use if create is set.
// ErrErased when there is none.
func (v *Vault) SubjectKey(ctx context.Context, workspace, subject string, create bool) ([]byte, error) {
	if subject == "" {
		return nil, fmt.Errorf("privacy: a data subject needs a name")
	}
	wrapper, err := v.workspaceKey(ctx, workspace)
	if err != nil {
		return nil, err
	}
	return v.key(ctx, workspace, subject, wrapper, create)
}

func (v *Vault) workspaceKey(ctx context.Context, workspace string) ([]byte, error) {
	return v.key(ctx, workspace, "", v.root, true)
}

func (v *Vault) key(ctx context.Context, workspace, name string, wrapper []byte, create bool) ([]byte, error) {
	id := [2]string{workspace, name}
	v.mu.Lock()
	k, erasures := v.cache[id], v.erasures
	v.mu.Unlock()
	if k != nil {
		return k, nil
	}
	ad := Ref{Workspace: workspace, Subject: name, Field: "key"}.bytes()
	wrapped, ok, err := v.store.GetKey(ctx, workspace, name)
	if err != nil {
		return nil, fmt.Errorf("privacy: reading a key: %w", err)
	}
	if !ok && !create {
		return nil, ErrErased
	}
	if !ok {
		fresh := make([]byte, KeySize)
		rand.Read(fresh)
		sealed, err := seal(wrapper, ad, fresh)
		if err != nil {
			return nil, err
		}
		if wrapped, err = v.store.PutKey(ctx, workspace, name, sealed); err != nil {
			return nil, fmt.Errorf("privacy: storing a key: %w", err)
		}
	}
	k, err = open(wrapper, ad, wrapped)
	if err != nil {
		return nil, fmt.Errorf("%w: a stored key does not open; put the root key file back that the data was written with", ErrRootKey)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.erasures != erasures {
		return k, nil
	}
	if len(v.cache) >= maxCached {
		clear(v.cache)
	}
	v.cache[id] = k
	return k, nil
}

// Seal encrypts plain for its place, making the subject's key if it has none.
func (v *Vault) Seal(ctx context.Context, ref Ref, plain []byte) ([]byte, error) {
	key, err := v.SubjectKey(ctx, ref.Workspace, ref.Subject, true)
	if err != nil {
		return nil, err
	}
	return SealUnder(key, ref, plain)
}

// Open decrypts what Seal made for the same place. ErrErased when the subject's
// key is gone, ErrSealed when the bytes do not belong there.
func (v *Vault) Open(ctx context.Context, ref Ref, sealed []byte) ([]byte, error) {
	key, err := v.SubjectKey(ctx, ref.Workspace, ref.Subject, false)
	if err != nil {
		return nil, err
	}
	return OpenUnder(key, ref, sealed)
}

// SealUnder is Seal with a key that SubjectKey gave: it touches no store, so it
// may run inside a transaction.
func SealUnder(subjectKey []byte, ref Ref, plain []byte) ([]byte, error) {
	key, err := recordKey(subjectKey, ref)
	if err != nil {
		return nil, err
	}
	return seal(key, ref.bytes(), plain)
}

// OpenUnder is Open with a key that SubjectKey gave.
func OpenUnder(subjectKey []byte, ref Ref, sealed []byte) ([]byte, error) {
	key, err := recordKey(subjectKey, ref)
	if err != nil {
		return nil, err
	}
	return open(key, ref.bytes(), sealed)
}

// recordKey derives the key of one record from the subject's: commitments use
// the subject's key for something else, and one record stays far below the
// number of random nonces that one AES-GCM key may see.
func recordKey(subjectKey []byte, ref Ref) ([]byte, error) {
	return hkdf.Key(sha256.New, subjectKey, nil, "vitrine/seal/v1\x00"+ref.Record, KeySize)
}

// Erase destroys the subject's key: everything sealed with it is gone, also in
// copies of the database.
func (v *Vault) Erase(ctx context.Context, workspace, subject string) error {
	if subject == "" {
		return fmt.Errorf("privacy: a data subject needs a name")
	}
	err := v.store.DeleteKey(ctx, workspace, subject)
	v.mu.Lock()
	v.erasures++
	delete(v.cache, [2]string{workspace, subject})
	v.mu.Unlock()
	if err != nil {
		return fmt.Errorf("privacy: erasing a key: %w", err)
	}
	return nil
}

// seal is AES-256-GCM: version byte 1, 12 random bytes of nonce, ciphertext.
func seal(key, ad, plain []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	out[0] = 1
	rand.Read(out[1:])
	return aead.Seal(out, out[1:], plain, ad), nil
}

func open(key, ad, sealed []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	n := 1 + aead.NonceSize()
	if len(sealed) < n+aead.Overhead() || sealed[0] != 1 {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[1:n], sealed[n:], ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("privacy: %w", err)
	}
	return cipher.NewGCM(block)
}
