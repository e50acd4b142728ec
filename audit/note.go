package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrSignature means that a note is malformed or not signed by the key expected.
var ErrSignature = errors.New("signature does not hold")

const sigPrefix = "— "

// OpenNote checks a signed note against the verifier and returns its text. It is
// stricter than note.Open about bytes: the note must be exactly what encoding it
// again gives, so that not even the spare bits of a base64 signature can change
// unseen. Further signatures (witnesses) are allowed.
func OpenNote(msg []byte, v note.Verifier) (string, error) {
	if err := checkNoteBytes(msg); err != nil {
		return "", err
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return "", fmt.Errorf("audit: note: %w: %w", ErrSignature, err)
	}
	return n.Text, nil
}

// checkNoteBytes refuses a note whose signature block has a second spelling.
func checkNoteBytes(msg []byte) error {
	i := bytes.LastIndex(msg, []byte("\n\n"))
	if i < 0 || !bytes.HasSuffix(msg, []byte("\n")) {
		return fmt.Errorf("audit: note has no signature block: %w", ErrSignature)
	}
	seen := map[string]bool{}
	lines := strings.Split(strings.TrimSuffix(string(msg[i+2:]), "\n"), "\n")
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, sigPrefix)
		name, sig, ok2 := strings.Cut(rest, " ")
		if !ok || !ok2 || name == "" || seen[line] {
			return fmt.Errorf("audit: note has a malformed or repeated signature line: %w", ErrSignature)
		}
		seen[line] = true
		if _, err := base64.StdEncoding.Strict().DecodeString(sig); err != nil {
			return fmt.Errorf("audit: note has a signature that is not canonical base64: %w", ErrSignature)
		}
	}
	return nil
}

// SignNote signs text, which must end in a newline.
func SignNote(text string, s note.Signer) ([]byte, error) {
	msg, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return nil, fmt.Errorf("audit: signing: %w", err)
	}
	return msg, nil
}

// signatureLine returns the first signature line of a note without its newline.
func signatureLine(msg []byte) string {
	i := bytes.LastIndex(msg, []byte("\n\n"))
	line, _, _ := strings.Cut(string(msg[i+2:]), "\n")
	return line
}
