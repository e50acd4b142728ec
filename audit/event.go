package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// LeafVersion is the value of the field "v" of every leaf written today.
const LeafVersion = 1

// MaxLeaf is the largest leaf in bytes.
const MaxLeaf = 4096

// TimeFormat is the only way times are written in leaves, promises and
// checkpoints: UTC with milliseconds, so that text order is time order.
const TimeFormat = "2006-01-02T15:04:05.000Z"

var (
	// ErrEvent means that an event breaks a rule of the leaf (unknown kind, a
	// field that does not match its pattern, too many bytes).
	ErrEvent = errors.New("event refused")
	// ErrLeaf means that bytes are not a canonical leaf.
	ErrLeaf = errors.New("not a canonical leaf")
)

// Event is what happened, in the words a leaf may hold. Every identifier is
// opaque; free text enters only through Commitments. The zero values of Version,
// ID, Time and Workspace are filled by the log when the event is appended.
//
// The fields of this and the following types stand in the order of their JSON
// names: RFC 8785 sorts by name, and so encoding/json writes canonical JSON (no
// pattern admits a character that either would escape). codec.go writes and reads the
// same bytes without reflection; a test holds it against both.
type Event struct {
	Action      string            `json:"action,omitempty"`      // the policy's action word
	Actor       string            `json:"actor"`                 // user:ULID, key:ULID, user:local, system or anonymous
	Auth        string            `json:"auth,omitempty"`        // password, demo-link, api-key, local-file, ...
	Code        string            `json:"code"`                  // a registered kind: PREDICTION.MADE.OK
	Codes       map[string]string `json:"codes,omitempty"`       // name -> closed code, names fixed by the kind
	Commitments map[string]string `json:"commitments,omitempty"` // name -> HMAC-SHA-256 hex, see Commit
	DataClasses []string          `json:"data_classes,omitempty"`
	Decision    *Decision         `json:"decision,omitempty"`
	Digest      string            `json:"digest,omitempty"` // SHA-256 of the object, hex; never of personal data
	Human       *Human            `json:"human,omitempty"`
	ID          string            `json:"id"` // ULID of the event
	LegalBasis  string            `json:"legal_basis,omitempty"`
	Model       *Model            `json:"model,omitempty"`
	Numbers     map[string]int64  `json:"numbers,omitempty"`      // name -> count, names fixed by the kind
	Object      string            `json:"object,omitempty"`       // kind:ULID, kind:slug or kind:number
	OnBehalfOf  string            `json:"on_behalf_of,omitempty"` // subject:ULID, user:ULID or key:ULID
	Purpose     string            `json:"purpose,omitempty"`
	Reason      string            `json:"reason,omitempty"`  // closed code
	Request     string            `json:"request,omitempty"` // ULID of the request
	Time        string            `json:"time"`              // TimeFormat
	Version     int               `json:"v"`                 // LeafVersion
	Workspace   string            `json:"workspace"`         // ULID or slug
}

// Decision is the policy's answer as it is logged. Asked holds everything the
// policy looked at, so that the decision can be made again from the leaf and a
// packed snapshot of the policy alone.
type Decision struct {
	Asked         Asked    `json:"asked"`
	Effect        string   `json:"effect"`      // allow or deny
	PolicyHash    string   `json:"policy_hash"` // SHA-256 hex of the packed snapshot; empty only with reason NoPolicy
	PolicyVersion int64    `json:"policy_version"`
	Reason        string   `json:"reason"` // closed code
	Rules         []string `json:"rules,omitempty"`
}

// Asked is the question a policy answered; its JSON is that of the policy's own
// request, so that it can be put again to a packed snapshot. Context holds what
// conditions looked at (purpose, data_class, method, auth, ...).
type Asked struct {
	Action    string            `json:"action"`
	Context   map[string]string `json:"context,omitempty"`
	Object    string            `json:"object"`
	Subject   Asker             `json:"subject"`
	Workspace string            `json:"workspace"`
}

// Asker is who asked: an opaque id with its kind and the roles held then.
type Asker struct {
	ID    string   `json:"id"`
	Roles []string `json:"roles,omitempty"`
}

// Model names the model that acted, by its registry name and its content.
type Model struct {
	Digest  string `json:"digest,omitempty"`
	ID      string `json:"id"`
	Version string `json:"version,omitempty"`
}

// Human says what a person did with the machine's answer.
type Human struct {
	Outcome    string `json:"outcome,omitempty"`
	OverrideOf string `json:"override_of,omitempty"`
	Reviewer   string `json:"reviewer,omitempty"`
}

// FormatTime writes t as leaves hold times.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }

// ParseTime is the inverse of FormatTime; any other spelling is an error.
func ParseTime(s string) (time.Time, error) {
	t, ok := stamp(s)
	if !ok {
		return time.Time{}, fmt.Errorf("audit: time %q is not written as %s", clip(s), TimeFormat)
	}
	return t, nil
}

// Canonical returns the leaf: RFC 8785 JSON of at most MaxLeaf bytes, every
// field matched against its pattern. Errors wrap ErrEvent, name the field and
// never repeat its value.
func (e Event) Canonical() ([]byte, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	leaf := appendEvent(make([]byte, 0, 1024), &e)
	if len(leaf) > MaxLeaf {
		return nil, fmt.Errorf("audit: leaf of %d bytes is over the %d allowed: %w", len(leaf), MaxLeaf, ErrEvent)
	}
	return leaf, nil
}

// ParseLeaf is the inverse of Canonical and as strict: bytes that Canonical
// would not have written are refused with ErrLeaf.
func ParseLeaf(leaf []byte) (Event, error) {
	var e Event
	if len(leaf) > MaxLeaf {
		return e, fmt.Errorf("audit: leaf of %d bytes is over the %d allowed: %w", len(leaf), MaxLeaf, ErrLeaf)
	}
	if e, ok := readEvent(string(leaf)); ok && e.validate() == nil {
		return e, nil
	}
	// What the strict reader does not take is refused; the rest says why. Unknown,
	// repeated or misspelt names need no look-out: what is decoded is encoded again
	// and compared.
	if err := json.Unmarshal(leaf, &e); err != nil {
		return Event{}, fmt.Errorf("audit: leaf: %w: %w", ErrLeaf, err)
	}
	again, err := e.Canonical()
	if err != nil {
		return Event{}, fmt.Errorf("audit: leaf: %w: %w", ErrLeaf, err)
	}
	if !bytes.Equal(again, leaf) {
		return Event{}, fmt.Errorf("audit: leaf is valid JSON but not in canonical form: %w", ErrLeaf)
	}
	return e, nil
}

// LeafHash is the RFC 6962 leaf hash of a leaf.
func LeafHash(leaf []byte) tlog.Hash { return tlog.RecordHash(leaf) }
