package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrCheckpoint means that text is not a checkpoint of the log expected.
var ErrCheckpoint = errors.New("not a checkpoint of this log")

// Checkpoint is the head of a log: C2SP tlog-checkpoint with one extension line,
// "time TIME", which makes a checkpoint of unchanged size the signed statement
// that nothing happened until then.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Time   time.Time
}

const timeLine = "time "

// Text is the note text that is signed.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n" + timeLine + FormatTime(c.Time) + "\n"
}

// Sign returns the signed checkpoint.
func (c Checkpoint) Sign(s note.Signer) ([]byte, error) { return SignNote(c.Text(), s) }

// OpenCheckpoint verifies and parses a signed checkpoint. The origin is the name
// of the verifier's key.
func OpenCheckpoint(msg []byte, v note.Verifier) (Checkpoint, error) {
	text, err := OpenNote(msg, v)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseCheckpoint(text, v.Name())
}

func parseCheckpoint(text, origin string) (Checkpoint, error) {
	bad := func(why string) (Checkpoint, error) {
		return Checkpoint{}, fmt.Errorf("audit: checkpoint: %s: %w", why, ErrCheckpoint)
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return bad("it does not have the four lines origin, size, root and time")
	}
	c := Checkpoint{Origin: lines[0]}
	if c.Origin != origin {
		return bad("it names another log than its key")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return bad("its size is not a number")
	}
	c.Size = size
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return bad("its root is not a hash")
	}
	copy(c.Root[:], root)
	stamp, ok := strings.CutPrefix(lines[3], timeLine)
	if !ok {
		return bad("it has no time")
	}
	if c.Time, err = ParseTime(stamp); err != nil {
		return bad("its time is malformed")
	}
	if c.Text() != text {
		return bad("it has a second spelling")
	}
	return c, nil
}

// EmptyRoot is the root of a tree without leaves (SHA-256 of nothing).
func EmptyRoot() tlog.Hash {
	h, _ := tlog.TreeHash(0, nil)
	return h
}
