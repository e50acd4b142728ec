package report

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

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
	return writeRows(w, csvRows{}, rows, progress)
}

// rowFormat is one way of writing entries, each by itself: what a pack derives from
// events.jsonl, and what its check derives again.
type rowFormat interface {
	head() []byte
	append(b []byte, l audit.Leaf, hash tlog.Hash, e *audit.Event) []byte
}

func writeRows(w io.Writer, f rowFormat, rows iter.Seq2[audit.Leaf, error], progress Progress) (int64, error) {
	if _, err := w.Write(f.head()); err != nil {
		return 0, fmt.Errorf("audit/report: writing entries: %w", err)
	}
	var buf []byte
	return each(rows, progress, func(l audit.Leaf) error {
		e, err := audit.ParseLeaf(l.Bytes)
		if err != nil {
			return fmt.Errorf("entry %d: %w", l.Index, err)
		}
		buf = f.append(buf[:0], l, audit.LeafHash(l.Bytes), &e)
		_, err = w.Write(buf)
		return err
	})
}

// csvRows is the spreadsheet.
type csvRows struct{}

func (csvRows) head() []byte { return []byte(strings.Join(columns, ",") + "\r\n") }

func (csvRows) append(b []byte, l audit.Leaf, hash tlog.Hash, e *audit.Event) []byte {
	var d audit.Decision
	var m audit.Model
	b = strconv.AppendInt(b, l.Index, 10)
	if e.Decision != nil {
		d = *e.Decision
	}
	if e.Model != nil {
		m = *e.Model
	}
	reason := e.Reason
	if d.Reason != "" {
		reason = d.Reason
	}
	for _, cell := range [...]string{e.Time, e.Code, e.Actor, e.OnBehalfOf, e.Auth, e.Action, e.Object, d.Effect, reason} {
		b = appendCell(b, cell)
	}
	b = append(b, ',')
	if e.Decision != nil {
		b = strconv.AppendInt(b, d.PolicyVersion, 10)
	}
	b = appendCell(b, d.PolicyHash)
	b = appendList(b, d.Rules)
	b = appendList(b, d.Asked.Subject.Roles)
	for _, cell := range [...]string{m.ID, m.Version, m.Digest, e.Purpose, e.LegalBasis} {
		b = appendCell(b, cell)
	}
	b = appendList(b, e.DataClasses)
	b = appendPairs(b, e.Codes, func(b []byte, v string) []byte { return append(b, v...) })
	b = appendPairs(b, e.Numbers, func(b []byte, v int64) []byte { return strconv.AppendInt(b, v, 10) })
	b = appendPairs(b, e.Commitments, func(b []byte, v string) []byte { return append(b, v...) })
	b = appendCell(b, e.Request)
	b = appendCell(b, e.ID)
	b = append(b, ',')
	b = hex.AppendEncode(b, hash[:])
	return append(b, "\r\n"...)
}

// appendCell adds a comma and a cell. A leaf's values hold nothing to quote; one that
// did would be quoted, and one that a spreadsheet would take for a formula begins with
// an apostrophe.
func appendCell(b []byte, s string) []byte {
	b = append(b, ',')
	if s == "" {
		return b
	}
	if strings.IndexByte("=+-@\t\r\n|%", s[0]) >= 0 {
		s = "'" + s
	}
	if !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

func appendList(b []byte, list []string) []byte {
	if len(list) == 1 {
		return appendCell(b, list[0])
	}
	return appendCell(b, strings.Join(list, " "))
}

// appendPairs adds a comma and name=value pairs by name. Names begin with a letter.
func appendPairs[V any](b []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	b = append(b, ',')
	var room [8]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, k...), '=')
		b = value(b, m[k])
	}
	return b
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
