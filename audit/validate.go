package audit

import (
	"fmt"
	"unicode/utf8"
)

const (
	maxList   = 32      // entries of a list or map in a leaf
	maxNumber = 1 << 53 // largest integer every JSON reader keeps exactly
)

// validate matches every field against its pattern. Messages name fields, never
// values: what was refused may be the very data that must not be written.
func (e *Event) validate() error {
	k, ok := LookupKind(e.Code)
	if !ok {
		return fmt.Errorf("audit: the event's code is not a registered kind: %w", ErrEvent)
	}
	if e.Version != LeafVersion {
		return fmt.Errorf("audit: leaf version %d, this build writes %d: %w", e.Version, LeafVersion, ErrEvent)
	}
	if _, ok := stamp(e.Time); !ok {
		return fmt.Errorf("audit: field time is malformed: %w", ErrEvent)
	}
	if err := e.validateFields(); err != nil {
		return err
	}
	if err := e.validateNamed(k); err != nil {
		return err
	}
	if e.Decision == nil && k.Decided {
		return fmt.Errorf("audit: %s needs the decision that led to it: %w", k.Code, ErrEvent)
	}
	if e.Decision != nil {
		if err := e.Decision.validate(); err != nil {
			return err
		}
		if k.Denied != (e.Decision.Effect == "deny") {
			return fmt.Errorf("audit: %s does not fit a decision whose effect is %s: %w", k.Code, e.Decision.Effect, ErrEvent)
		}
		// A caller from elsewhere is refused, and the refusal says from where.
		if e.Decision.Asked.Workspace != e.Workspace && e.Decision.Effect == "allow" {
			return fmt.Errorf("audit: the decision was made in another workspace: %w", ErrEvent)
		}
	}
	return nil
}

// NoPolicy is the only reason of a decision that names no policy: there was none
// that could be used, so everything is refused.
const NoPolicy = "policy-unavailable"

type check struct {
	field, value string
	match        func(string) bool
	required     bool
}

func run(checks []check) error {
	for i := range checks {
		c := &checks[i]
		if c.value == "" && !c.required {
			continue
		}
		if !c.match(c.value) {
			return refused(c.field)
		}
	}
	return nil
}

func refused(field string) error {
	return fmt.Errorf("audit: field %s does not match its pattern: %w", field, ErrEvent)
}

func (e *Event) validateFields() error {
	checks := append(make([]check, 0, 20), []check{
		{"workspace", e.Workspace, isSpace, true},
		{"id", e.ID, isULID, true},
		{"actor", e.Actor, isActor, true},
		{"on_behalf_of", e.OnBehalfOf, isSubject, false},
		{"auth", e.Auth, isCode, false},
		{"request", e.Request, isULID, false},
		{"object", e.Object, isObject, false},
		{"digest", e.Digest, isHex, false},
		{"action", e.Action, isAction, false},
		{"purpose", e.Purpose, isCode, false},
		{"legal_basis", e.LegalBasis, isCode, false},
		{"reason", e.Reason, isCode, false},
	}...)
	if m := e.Model; m != nil {
		checks = append(checks, check{"model.id", m.ID, isModel, true}, check{"model.version", m.Version, isVersion, false}, check{"model.digest", m.Digest, isHex, false})
	}
	if h := e.Human; h != nil {
		checks = append(checks, check{"human.reviewer", h.Reviewer, isActor, false}, check{"human.outcome", h.Outcome, isCode, false}, check{"human.override_of", h.OverrideOf, isULID, false})
	}
	if len(e.DataClasses) > maxList {
		return fmt.Errorf("audit: field data_classes has more than %d entries: %w", maxList, ErrEvent)
	}
	for _, c := range e.DataClasses {
		if !isCode(c) {
			return refused("data_classes")
		}
	}
	return run(checks)
}

func (e *Event) validateNamed(k Kind) error {
	for n, v := range e.Commitments {
		if err := k.allows("commitment", k.Commitments, n); err != nil {
			return err
		}
		if !isHex(v) {
			return fmt.Errorf("audit: commitment %s is not 64 hexadecimal digits: %w", n, ErrEvent)
		}
	}
	for n, v := range e.Codes {
		if err := k.allows("code", k.Codes, n); err != nil {
			return err
		}
		if !isVersion(v) {
			return fmt.Errorf("audit: code %s does not match its pattern: %w", n, ErrEvent)
		}
	}
	for n, v := range e.Numbers {
		if err := k.allows("number", k.Numbers, n); err != nil {
			return err
		}
		if v > maxNumber || v < -maxNumber {
			return fmt.Errorf("audit: number %s is out of range: %w", n, ErrEvent)
		}
	}
	return nil
}

func (d *Decision) validate() error {
	if d.Effect != "allow" && d.Effect != "deny" {
		return fmt.Errorf("audit: decision.effect is neither allow nor deny: %w", ErrEvent)
	}
	if d.PolicyVersion < 0 || d.PolicyVersion > maxNumber {
		return fmt.Errorf("audit: decision.policy_version is out of range: %w", ErrEvent)
	}
	if len(d.Rules) > maxList || len(d.Asked.Subject.Roles) > maxList || len(d.Asked.Context) > maxList {
		return fmt.Errorf("audit: decision has a list of more than %d entries: %w", maxList, ErrEvent)
	}
	checks := []check{
		{"decision.reason", d.Reason, isCode, true},
		{"decision.policy_hash", d.PolicyHash, isHex, d.Effect == "allow" || d.Reason != NoPolicy},
		{"decision.asked.workspace", d.Asked.Workspace, isSpace, true},
		{"decision.asked.subject.id", d.Asked.Subject.ID, isAsker, true},
		{"decision.asked.action", d.Asked.Action, isAction, true},
		{"decision.asked.object", d.Asked.Object, isAsked, true},
	}
	for _, r := range d.Rules {
		if !isRule(r) {
			return refused("decision.rules")
		}
	}
	for _, r := range d.Asked.Subject.Roles {
		if !isRule(r) {
			return refused("decision.asked.subject.roles")
		}
	}
	for n, v := range d.Asked.Context {
		if !isName(n) || !isVersion(v) {
			return refused("decision.asked.context")
		}
	}
	return run(checks)
}

// clip shortens text for an error message.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
