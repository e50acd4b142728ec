package report

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"strconv"
	"strings"

	"vitrine/audit"
)

// ErrLine means that a line is not an exported entry.
var ErrLine = errors.New("not an exported entry")

// An exported line is {"event":LEAF,"index":N} with the leaf's exact bytes, so that
// the line is canonical JSON itself and the leaf can be hashed where it stands.
const (
	lineHead = `{"event":`
	lineMid  = `,"index":`
	lineTail = "}\n"
)

// maxLine bounds a line of events.jsonl.
const maxLine = audit.MaxLeaf + 64

func appendLine(b []byte, l audit.Leaf) []byte {
	b = append(b, lineHead...)
	b = append(b, l.Bytes...)
	b = append(b, lineMid...)
	b = strconv.AppendInt(b, l.Index, 10)
	return append(b, lineTail...)
}

// ParseLine reads one exported line, its newline included. The leaf shares the
// line's memory and is not yet parsed.
func ParseLine(line []byte) (audit.Leaf, error) {
	var l audit.Leaf
	at := bytes.LastIndex(line, []byte(lineMid))
	if !bytes.HasPrefix(line, []byte(lineHead)) || !bytes.HasSuffix(line, []byte(lineTail)) || at < len(lineHead) {
		return l, fmt.Errorf("audit/report: line: %w", ErrLine)
	}
	number := string(line[at+len(lineMid) : len(line)-len(lineTail)])
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != number {
		return l, fmt.Errorf("audit/report: line: %w", ErrLine)
	}
	return audit.Leaf{Index: n, Bytes: line[len(lineHead):at]}, nil
}

// Progress is told how many entries have been written.
type Progress func(written int64)

// every is how many entries pass between two reports of progress.
const every = 500

// WriteJSONL writes one line an entry and returns their number.
func WriteJSONL(w io.Writer, rows iter.Seq2[audit.Leaf, error], progress Progress) (int64, error) {
	var buf []byte
	return each(rows, progress, func(l audit.Leaf) error {
		buf = appendLine(buf[:0], l)
		_, err := w.Write(buf)
		return err
	})
}

var columns = []string{"index", "time", "code", "actor", "on_behalf_of", "auth", "action", "object", "effect", "reason",
	"policy_version", "policy_hash", "rules", "roles", "model", "model_version", "model_digest", "purpose", "legal_basis", "data_classes",
	"codes", "numbers", "commitments", "request", "event", "leaf_hash"}

// WriteCSV writes a header and one row an entry (RFC 4180). Cells that a
// spreadsheet would run as a formula begin with an apostrophe.
func WriteCSV(w io.Writer, rows iter.Seq2[audit.Leaf, error], progress Progress) (int64, error) {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(columns); err != nil {
		return 0, err
	}
	n, err := each(rows, progress, func(l audit.Leaf) error {
		e, err := audit.ParseLeaf(l.Bytes)
		if err != nil {
			return fmt.Errorf("entry %d: %w", l.Index, err)
		}
		return c.Write(csvRow(l, e))
	})
	c.Flush()
	if err == nil {
		err = c.Error()
	}
	return n, err
}

func csvRow(l audit.Leaf, e audit.Event) []string {
	hash := audit.LeafHash(l.Bytes)
	d, m := audit.Decision{}, audit.Model{}
	version := ""
	if e.Decision != nil {
		d, version = *e.Decision, strconv.FormatInt(e.Decision.PolicyVersion, 10)
	}
	if e.Model != nil {
		m = *e.Model
	}
	reason := e.Reason
	if d.Reason != "" {
		reason = d.Reason
	}
	numbers := map[string]string{}
	for k, v := range e.Numbers {
		numbers[k] = strconv.FormatInt(v, 10)
	}
	row := []string{strconv.FormatInt(l.Index, 10), e.Time, e.Code, e.Actor, e.OnBehalfOf, e.Auth, e.Action, e.Object, d.Effect, reason,
		version, d.PolicyHash, strings.Join(d.Rules, " "), strings.Join(d.Asked.Subject.Roles, " "), m.ID, m.Version, m.Digest, e.Purpose, e.LegalBasis, strings.Join(e.DataClasses, " "),
		pairs(e.Codes), pairs(numbers), pairs(e.Commitments), e.Request, e.ID, hex.EncodeToString(hash[:])}
	for i, cell := range row {
		row[i] = safeCell(cell)
	}
	return row
}

// safeCell keeps a spreadsheet from taking a cell for a formula.
func safeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		return "'" + s
	}
	return s
}

func pairs(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for i, k := range keys {
		keys[i] = k + "=" + m[k]
	}
	return strings.Join(keys, " ")
}

// each runs fn over the rows and tells of progress.
func each(rows iter.Seq2[audit.Leaf, error], progress Progress, fn func(audit.Leaf) error) (int64, error) {
	var n int64
	for l, err := range rows {
		if err == nil {
			err = fn(l)
		}
		if err != nil {
			return n, fmt.Errorf("audit/report: writing entries: %w", err)
		}
		if n++; progress != nil && n%every == 0 {
			progress(n)
		}
	}
	if progress != nil {
		progress(n)
	}
	return n, nil
}
