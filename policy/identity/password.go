package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Parameters of argon2id: the first choice of OWASP's password storage sheet.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

const (
	// MinPassword is the fewest characters of a password without second factor.
	MinPassword = 15
	// maxPassword in bytes bounds the work of hashing.
	maxPassword = 1024
	// maxWaiting is how many sign-ins may wait for the hasher.
	maxWaiting = 256
)

//go:embed common.txt
var commonText string

// common holds frequent passwords of at least MinPassword characters,
// lower-case.
var common = func() map[string]bool {
	m := map[string]bool{}
	for _, line := range strings.Fields(commonText) {
		m[line] = true
	}
	return m
}()

// CheckPassword refuses, with ErrPassword, a new password that is too short,
// too long, common, made of few characters, or built from the user's name.
func CheckPassword(password, name string) error {
	fail := func(why string) error { return fmt.Errorf("%w: %s", ErrPassword, why) }
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return fail("it is not valid text")
	case n < MinPassword:
		return fail(fmt.Sprintf("use at least %d characters; a sentence is fine", MinPassword))
	case len(password) > maxPassword:
		return fail(fmt.Sprintf("use at most %d bytes", maxPassword))
	}
	lower := strings.ToLower(password)
	if common[lower] || common[strings.ReplaceAll(lower, " ", "")] {
		return fail("it is on the list of common passwords")
	}
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	if len(distinct) < 6 || repeats(lower) {
		return fail("it repeats a few characters")
	}
	if name = strings.ToLower(name); len(name) >= 3 && len(strings.ReplaceAll(lower, name, "")) < 8 {
		return fail("it is little more than the user name")
	}
	return nil
}

// repeats reports whether s is a piece of at most half its length over and over.
func repeats(s string) bool {
	i := strings.Index((s + s)[1:], s)
	return i >= 0 && i+1 <= len(s)/2
}

// Hasher hashes passwords with argon2id, few at a time, so that a flood of
// sign-ins cannot take all memory: 19 MiB for each of at most four.
type Hasher struct {
	running chan struct{}
	waiting chan struct{}
	dummy   string
	derive  func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte // argon2.IDKey; tests count calls
}

// NewHasher makes a hasher.
func NewHasher() *Hasher {
	h := &Hasher{running: make(chan struct{}, min(max(runtime.NumCPU(), 1), 4)), waiting: make(chan struct{}, maxWaiting), derive: argon2.IDKey}
	// Only its parameters matter: it costs a stranger's name the same time.
	h.dummy = phc(make([]byte, argonSalt), make([]byte, argonKey), argonMemory, argonTime, argonThreads)
	return h
}

// enter waits for a place. ErrBusy when too many wait already.
func (h *Hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.waiting <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	defer func() { <-h.waiting }()
	select {
	case h.running <- struct{}{}:
		return func() { <-h.running }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// prepared is the password in Unicode NFC, so that every keyboard gives the
// same bytes.
func prepared(password string) []byte { return norm.NFC.Bytes([]byte(password)) }

// Hash returns the PHC string of a password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := h.derive(prepared(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	return phc(salt, key, argonMemory, argonTime, argonThreads), nil
}

func phc(salt, key []byte, memory, time, threads int) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, time, threads, b.EncodeToString(salt), b.EncodeToString(key))
}

// Verify compares a password with a PHC string. An empty hash never fits, and
// takes as long as one that does. rehash says that the hash has older
// parameters than today's.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (ok, rehash bool, err error) {
	if len(password) > maxPassword {
		password = "" // cannot be anybody's; costs the same
	}
	real := hash != "" && password != ""
	if hash == "" {
		hash = h.dummy
	}
	p, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	key := h.derive(prepared(password), p.salt, uint32(p.time), uint32(p.memory), uint8(p.threads), uint32(len(p.key)))
	same := subtle.ConstantTimeCompare(key, p.key) == 1
	old := p.memory != argonMemory || p.time != argonTime || p.threads != argonThreads
	return same && real, same && real && old, nil
}

type phcFields struct {
	memory, time, threads int
	salt, key             []byte
}

// parsePHC reads an argon2id PHC string and bounds its cost: a row in the
// database must not make the server allocate gigabytes.
func parsePHC(s string) (phcFields, error) {
	var p phcFields
	bad := fmt.Errorf("identity: the stored password hash is not an argon2id hash in bounds")
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v=19" {
		return p, bad
	}
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return p, bad
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(part[4])
	p.key, err2 = base64.RawStdEncoding.Strict().DecodeString(part[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.salt) > 64 || len(p.key) < 16 || len(p.key) > 64 ||
		p.memory < 8 || p.memory > 64*1024 || p.time < 1 || p.time > 10 || p.threads < 1 || p.threads > 4 {
		return p, bad
	}
	return p, nil
}
