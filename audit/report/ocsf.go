package report

import (
	"encoding/hex"
	"io"
	"iter"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that the
// export follows: every entry is an event of class API Activity (6003), those of a
// model with the profile ai_operation.
const OCSFVersion = "1.8.0"

// WriteOCSF writes one OCSF event a line.
func WriteOCSF(w io.Writer, rows iter.Seq2[audit.Leaf, error], progress Progress) (int64, error) {
	return writeRows(w, ocsfRows{}, rows, progress)
}

type ocsfRows struct{}

func (ocsfRows) head() []byte { return nil }

// Activities of the class.
const (
	ocsfCreate = 1
	ocsfRead   = 2
	ocsfUpdate = 3
	ocsfDelete = 4
	ocsfOther  = 99
)

// ocsfActivity is the activity of a code, by its verb.
func ocsfActivity(code string) int {
	_, rest, _ := strings.Cut(code, ".")
	verb, _, _ := strings.Cut(rest, ".")
	switch verb {
	case "MADE", "ADDED", "CREATED", "OPENED", "ISSUED":
		return ocsfCreate
	case "READ", "REVEALED", "VERIFIED":
		return ocsfRead
	case "CHANGED", "ACTIVATED", "DISABLED", "RESTORED", "ROTATED", "ANCHORED":
		return ocsfUpdate
	case "DELETED", "REMOVED", "CLOSED":
		return ocsfDelete
	}
	return ocsfOther
}

// append writes the members by name. Values are a leaf's: nothing in them needs an
// escape.
func (ocsfRows) append(b []byte, l audit.Leaf, hash tlog.Hash, e *audit.Event) []byte {
	activity := ocsfActivity(e.Code)
	b = append(b, `{"activity_id":`...)
	b = strconv.AppendInt(b, int64(activity), 10)
	if activity == ocsfOther {
		b = field(b, `,"activity_name":`, e.Code)
	}
	b = append(b, `,"actor":{`...)
	if d := e.Decision; d != nil {
		word := "allowed"
		if d.Effect != "allow" {
			word = "denied"
		}
		b = field(b, `"authorizations":[{"decision":`, word)
		b = field(b, `,"policy":{"uid":`, d.PolicyHash)
		b = append(b, `,"version":"`...)
		b = strconv.AppendInt(b, d.PolicyVersion, 10)
		b = append(b, `"}}],`...)
	}
	b = field(b, `"user":{"uid":`, e.Actor)
	b = append(b, `}}`...)
	if m := e.Model; m != nil {
		b = field(b, `,"ai_model":{"ai_provider":"Internal","model_name":`, m.ID)
		if m.Digest != "" {
			b = field(b, `,"uid":`, m.Digest)
		}
		if m.Version != "" {
			b = field(b, `,"version":`, m.Version)
		}
		b = append(b, '}')
	}
	b = field(b, `,"api":{"operation":`, e.Code)
	if e.Request != "" {
		b = field(b, `,"request":{"uid":`, e.Request)
		b = append(b, '}')
	}
	b = field(b, `},"category_uid":6,"class_uid":6003,"metadata":{"event_code":`, e.Code)
	b = field(b, `,"original_time":`, e.Time)
	b = append(b, `,"product":{"name":"Vitrine","vendor_name":"Vitrine"}`...)
	if e.Model != nil {
		b = append(b, `,"profiles":["ai_operation"]`...)
	}
	b = append(b, `,"sequence":`...)
	b = strconv.AppendInt(b, l.Index, 10)
	b = field(b, `,"tenant_uid":`, e.Workspace)
	b = field(b, `,"uid":`, e.ID)
	b = append(b, `,"version":"`+OCSFVersion+`"}`...)
	if kind, _, ok := strings.Cut(e.Object, ":"); ok {
		b = field(b, `,"resources":[{"type":`, kind)
		b = field(b, `,"uid":`, e.Object)
		b = append(b, `}]`...)
	}
	return ocsfTail(b, hash, e, activity)
}

func ocsfTail(b []byte, hash tlog.Hash, e *audit.Event, activity int) []byte {
	// The class asks for a source; addresses are committed to, never in a leaf.
	b = append(b, `,"severity_id":1,"src_endpoint":{"name":"not-recorded"}`...)
	reason := e.Reason
	if reason == "" && e.Decision != nil {
		reason = e.Decision.Reason
	}
	if reason != "" {
		b = field(b, `,"status_code":`, reason)
	}
	status := int64(1)
	if !strings.HasSuffix(e.Code, ".OK") {
		status = 2
	}
	b = append(b, `,"status_id":`...)
	b = strconv.AppendInt(b, status, 10)
	b = append(b, `,"time":`...)
	at, err := audit.ParseTime(e.Time)
	if err != nil {
		at = at.UTC() // an entry's time was matched when it was parsed
	}
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	b = append(b, `,"type_uid":`...)
	b = strconv.AppendInt(b, int64(600300+activity), 10)
	b = append(b, `,"unmapped":{"leaf_hash":"`...)
	b = hex.AppendEncode(b, hash[:])
	b = append(b, '"')
	if e.Purpose != "" {
		b = field(b, `,"purpose":`, e.Purpose)
	}
	return append(b, "}}\n"...)
}

// field appends a literal and a quoted value.
func field(b []byte, literal, value string) []byte {
	b = append(b, literal...)
	b = append(b, '"')
	b = append(b, value...)
	return append(b, '"')
}
