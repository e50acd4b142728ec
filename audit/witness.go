package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// AddCheckpoint is the body of the request add-checkpoint of C2SP tlog-witness: a
// signed checkpoint and the proof that it continues the tree of Old leaves.
type AddCheckpoint struct {
	Old        int64
	Proof      tlog.TreeProof
	Checkpoint []byte
}

// MaxAddCheckpoint bounds the request in bytes.
const MaxAddCheckpoint = 64 << 10

// ErrAddCheckpoint means that a request is malformed.
var ErrAddCheckpoint = errors.New("malformed add-checkpoint request")

// Marshal returns the request's bytes.
func (a AddCheckpoint) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", a.Old)
	for _, h := range a.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(a.Checkpoint)
	return b.Bytes()
}

// ParseAddCheckpoint is the inverse of Marshal and refuses every second spelling.
func ParseAddCheckpoint(data []byte) (AddCheckpoint, error) {
	var a AddCheckpoint
	bad := fmt.Errorf("audit: %w", ErrAddCheckpoint)
	head, rest, ok := bytes.Cut(data, []byte("\n\n"))
	if !ok || len(data) > MaxAddCheckpoint {
		return a, bad
	}
	lines := strings.Split(string(head), "\n")
	number, ok := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || old < 0 || len(lines)-1 > maxProof {
		return a, bad
	}
	a = AddCheckpoint{Old: old, Checkpoint: rest}
	for _, l := range lines[1:] {
		h, err := parseHash(l)
		if err != nil {
			return AddCheckpoint{}, bad
		}
		a.Proof = append(a.Proof, h)
	}
	if !bytes.Equal(a.Marshal(), data) {
		return AddCheckpoint{}, bad
	}
	return a, nil
}

// Origin is the first line of a note, unverified: for looking up its log.
func Origin(msg []byte) string {
	line, _, _ := bytes.Cut(msg, []byte("\n"))
	return string(line)
}

// ErrStale means that a request's old size is not that of the newest checkpoint
// cosigned, or that a root of the same size differs.
var ErrStale = errors.New("the old size is not that of the last checkpoint cosigned")

// Foreign is a checkpoint of any log, ours or not: three lines and whatever
// extension lines its log puts behind them.
type Foreign struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Text   string
}

// OpenForeign verifies a checkpoint under one of the keys of its log and parses it.
// Errors: ErrSignature, ErrCheckpoint.
func OpenForeign(msg []byte, keys []note.Verifier) (Foreign, error) {
	var last error = ErrSignature
	for _, k := range keys {
		text, err := OpenNote(msg, k)
		if err == nil {
			return parseForeign(text, k.Name())
		}
		last = err
	}
	return Foreign{}, last
}

func parseForeign(text, origin string) (Foreign, error) {
	bad := fmt.Errorf("audit: %w", ErrCheckpoint)
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != origin || lines[len(lines)-1] != "" {
		return Foreign{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Foreign{}, bad
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Foreign{}, bad
	}
	for _, l := range lines[3 : len(lines)-1] {
		if l == "" {
			return Foreign{}, bad
		}
	}
	return Foreign{Origin: origin, Size: size, Root: root, Text: text}, nil
}

// Continues checks that now is consistent with the checkpoint cosigned before it
// (nil: none), by the rules of tlog-witness. Errors: ErrAddCheckpoint for an old
// size above the new one, ErrStale, ErrProof.
func (a AddCheckpoint) Continues(before *Foreign, now Foreign) error {
	known := int64(0)
	if before != nil {
		known = before.Size
	}
	switch {
	case a.Old > now.Size:
		return fmt.Errorf("audit: the old size is above the new one: %w", ErrAddCheckpoint)
	case a.Old != known:
		return fmt.Errorf("audit: %w", ErrStale)
	}
	if known == 0 {
		if len(a.Proof) != 0 {
			return fmt.Errorf("audit: a proof from the empty tree is empty: %w", ErrProof)
		}
		return nil
	}
	if a.Old == now.Size && before.Root != now.Root {
		return fmt.Errorf("audit: the root differs at the same size: %w", ErrStale)
	}
	return VerifyConsistency(a.Proof, Checkpoint{Size: before.Size, Root: before.Root}, Checkpoint{Size: now.Size, Root: now.Root})
}

// Succession is the statement of a log's key about the one that follows it.
type Succession struct {
	Old, New string // public keys, one line each
	Time     time.Time
}

const successionHeader = "vitrine/succession@v1"

func (s Succession) text() string {
	return successionHeader + "\n" + s.Old + "\n" + s.New + "\n" + FormatTime(s.Time) + "\n"
}

// Sign signs the statement with the old key and with the new one, which shows that
// its holder agrees.
func (s Succession) Sign(old, now note.Signer) ([]byte, error) {
	msg, err := note.Sign(&note.Note{Text: s.text()}, old, now)
	if err != nil {
		return nil, fmt.Errorf("audit: signing a succession: %w", err)
	}
	return msg, nil
}

// OpenSuccession checks a statement's form and both its signatures; whether the old
// key is one to be trusted is the caller's question.
func OpenSuccession(msg []byte) (Succession, error) {
	bad := fmt.Errorf("audit: succession of keys: %w", ErrSignature)
	lines := strings.Split(string(msg), "\n")
	if len(lines) < 6 || lines[0] != successionHeader || lines[4] != "" || lines[1] == lines[2] {
		return Succession{}, bad
	}
	s := Succession{Old: lines[1], New: lines[2]}
	var err error
	if s.Time, err = ParseTime(lines[3]); err != nil {
		return Succession{}, bad
	}
	name := ""
	for _, k := range []string{s.Old, s.New} {
		v, err := ParseVerifierKey([]byte(k))
		if err != nil || name != "" && v.Name() != name {
			return Succession{}, bad
		}
		name = v.Name()
		text, err := OpenNote(msg, v)
		if err != nil || text != s.text() {
			return Succession{}, bad
		}
	}
	return s, nil
}
