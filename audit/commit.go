package audit

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrOpening means that data is not what was committed to.
var ErrOpening = errors.New("commitment does not open")

// RecordKey derives the key of one record from the key of the person it is about
// (HKDF-SHA-256). Destroying the subject's key makes every commitment of every
// record about that person impossible to open, while the log stays whole.
// subjectKey needs at least 16 bytes.
func RecordKey(subjectKey []byte, recordID string) ([]byte, error) {
	if len(subjectKey) < 16 || recordID == "" {
		return nil, errors.New("audit: a record key needs a subject key of 16 bytes or more and a record id")
	}
	key, err := hkdf.Key(sha256.New, subjectKey, nil, "vitrine/record/v1\x00"+recordID, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("audit: deriving a record key: %w", err)
	}
	return key, nil
}

// Commit binds a leaf to data without holding it: HMAC-SHA-256 under the record's
// key of the commitment's name, a zero byte and the data, in hexadecimal. A plain
// hash would let anyone test guesses against a short sentence.
func Commit(recordKey []byte, name string, data []byte) string {
	m := hmac.New(sha256.New, recordKey)
	m.Write([]byte(name))
	m.Write([]byte{0})
	m.Write(data)
	return hex.EncodeToString(m.Sum(nil))
}

// OpenCommitment checks that commitment was made from data; ErrOpening if not.
func OpenCommitment(commitment string, recordKey []byte, name string, data []byte) error {
	if !hmac.Equal([]byte(commitment), []byte(Commit(recordKey, name, data))) {
		return fmt.Errorf("audit: commitment %s: %w", name, ErrOpening)
	}
	return nil
}
