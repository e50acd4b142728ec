package audit

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// Class says what happens to the action when its event cannot be written.
type Class string

const (
	// Strict events are written in the transaction of their action: without the
	// event the action fails.
	Strict Class = "strict"
	// BestEffort events are written later; what is lost is counted and the count
	// is itself an event (EVENTS.DROPPED.OK).
	BestEffort Class = "best-effort"
)

// Kind is a registered event kind and the closed names it may use.
type Kind struct {
	Code        string // NOUN.VERB.RESULT, result one of OK, DENIED, FAILED
	Class       Class
	Denied      bool     // set from Code: a refusal, which must carry a denying decision
	Decided     bool     // the event must carry a decision
	Commitments []string // names allowed in Event.Commitments
	Codes       []string // names allowed in Event.Codes
	Numbers     []string // names allowed in Event.Numbers
	Sample      Event    // a full example; its canonical bytes are frozen by the conformance test
}

var kinds = map[string]Kind{}

var kindCode = regexp.MustCompile(`^[A-Z]{2,16}\.[A-Z]{2,16}\.(OK|DENIED|FAILED)$`)

// register adds a kind; it panics on a duplicate or an invalid entry, which can
// only happen while the program starts.
func register(k Kind) {
	if !kindCode.MatchString(k.Code) {
		panic("audit: kind code is malformed: " + k.Code)
	}
	if _, dup := kinds[k.Code]; dup {
		panic("audit: kind registered twice: " + k.Code)
	}
	if k.Class != Strict && k.Class != BestEffort {
		panic("audit: kind without a class: " + k.Code)
	}
	k.Denied = strings.HasSuffix(k.Code, ".DENIED")
	k.Decided = k.Decided || k.Denied
	for _, names := range [][]string{k.Commitments, k.Codes, k.Numbers} {
		for _, n := range names {
			if !isName(n) {
				panic("audit: kind " + k.Code + " declares a malformed name")
			}
		}
	}
	k.Sample = fillSample(k)
	kinds[k.Code] = k
}

// Kinds returns every registered kind, sorted by code.
func Kinds() []Kind {
	out := make([]Kind, 0, len(kinds))
	for _, k := range kinds {
		out = append(out, k)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Code < out[j].Code })
	return out
}

// LookupKind finds a kind by its code.
func LookupKind(code string) (Kind, bool) {
	k, ok := kinds[code]
	return k, ok
}

func (k Kind) allows(what string, names []string, name string) error {
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("audit: %s has no %s of this name (allowed: %s): %w", k.Code, what, strings.Join(names, ", "), ErrEvent)
}

// fillSample completes a kind's example with fixed identifiers, so that frozen
// bytes depend on nothing but the leaf format and the kind's declaration.
func fillSample(k Kind) Event {
	const ulid = "01JD0000000000000000000000"
	const hex64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	e := k.Sample
	e.Version, e.Workspace, e.ID, e.Code, e.Time = LeafVersion, ulid, ulid, k.Code, "2026-01-02T03:04:05.678Z"
	if e.Actor == "" {
		e.Actor = "user:" + ulid
	}
	if e.Request == "" {
		e.Request = ulid
	}
	if k.Decided && e.Decision == nil {
		effect, reason := "allow", "allowed"
		if k.Denied {
			effect, reason = "deny", "no-rule"
		}
		action, object := e.Action, e.Object
		if action == "" {
			action = "predict"
		}
		if object == "" {
			object = "model:example"
		}
		e.Decision = &Decision{Effect: effect, Reason: reason, PolicyVersion: 1, PolicyHash: hex64, Rules: []string{"r1"},
			Asked: Asked{Workspace: ulid, Subject: Asker{ID: e.Actor, Roles: []string{"analyst"}}, Action: action, Object: object,
				Context: map[string]string{"purpose": "unspecified", "data_class": "internal"}}}
	}
	for i, n := range k.Commitments {
		if e.Commitments == nil {
			e.Commitments = map[string]string{}
		}
		e.Commitments[n] = hex64[i:] + hex64[:i]
	}
	for _, n := range k.Codes {
		if e.Codes == nil {
			e.Codes = map[string]string{}
		}
		if e.Codes[n] == "" {
			e.Codes[n] = "example"
		}
	}
	for i, n := range k.Numbers {
		if e.Numbers == nil {
			e.Numbers = map[string]int64{}
		}
		e.Numbers[n] = int64(i + 1)
	}
	return e
}
