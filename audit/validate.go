package audit

import (
	"fmt"
	"regexp"
	"unicode/utf8"
)

// The patterns of everything a leaf may hold. Nothing here can spell a sentence:
// no pattern admits a space, an at sign or a letter outside ASCII.
const (
	pULID  = `[0-7][0-9A-HJKMNP-TV-Z]{25}`
	pModel = `[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,94}[A-Za-z0-9])?` // registry names; hub names hold a slash
	pSlug  = `[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?`
)

var (
	reSpace   = regexp.MustCompile(`^(?:` + pULID + `|` + pSlug + `)$`)
	reModel   = regexp.MustCompile(`^` + pModel + `$`)
	reULID    = regexp.MustCompile(`^` + pULID + `$`)
	reHex     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	reCode    = regexp.MustCompile(`^` + pSlug + `$`)
	reName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	reVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$`)
	reRule    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)
	reActor   = regexp.MustCompile(`^(?:user:` + pULID + `|key:` + pULID + `|user:local|system|anonymous)$`)
	reSubject = regexp.MustCompile(`^(?:subject|user|key):` + pULID + `$`)
	reAsker   = regexp.MustCompile(`^(?:(?:user|key):` + pULID + `|user:local|system|anonymous|role:` + pSlug + `)$`)
	reObject  = regexp.MustCompile(`^(?:model:` + pModel + `(?:@` + pSlug + `)?|(?:prediction|explanation|user|key|session|policy|export|log|subject|job|page|request|review|proposal):(?:` + pULID + `|` + pSlug + `))$`)
	reAction  = regexp.MustCompile(`^[a-z]+(?:\.[a-z]+)?$`)
	reAsked   = regexp.MustCompile(`^[a-z]{2,16}(?::(?:\*|` + pModel + `(?:@` + pSlug + `)?))?$`)
)

const (
	maxList   = 32      // entries of a list or map in a leaf
	maxNumber = 1 << 53 // largest integer every JSON reader keeps exactly
)

// validate matches every field against its pattern. Messages name fields, never
// values: what was refused may be the very data that must not be written.
func (e Event) validate() error {
	k, ok := LookupKind(e.Code)
	if !ok {
		return fmt.Errorf("audit: the event's code is not a registered kind: %w", ErrEvent)
	}
	if e.Version != LeafVersion {
		return fmt.Errorf("audit: leaf version %d, this build writes %d: %w", e.Version, LeafVersion, ErrEvent)
	}
	if _, err := ParseTime(e.Time); err != nil {
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
	re           *regexp.Regexp
	required     bool
}

func run(checks []check) error {
	for _, c := range checks {
		if c.value == "" && !c.required {
			continue
		}
		if !c.re.MatchString(c.value) {
			return fmt.Errorf("audit: field %s does not match its pattern: %w", c.field, ErrEvent)
		}
	}
	return nil
}

func (e Event) validateFields() error {
	checks := []check{
		{"workspace", e.Workspace, reSpace, true},
		{"id", e.ID, reULID, true},
		{"actor", e.Actor, reActor, true},
		{"on_behalf_of", e.OnBehalfOf, reSubject, false},
		{"auth", e.Auth, reCode, false},
		{"request", e.Request, reULID, false},
		{"object", e.Object, reObject, false},
		{"digest", e.Digest, reHex, false},
		{"action", e.Action, reAction, false},
		{"purpose", e.Purpose, reCode, false},
		{"legal_basis", e.LegalBasis, reCode, false},
		{"reason", e.Reason, reCode, false},
	}
	if m := e.Model; m != nil {
		checks = append(checks, check{"model.id", m.ID, reModel, true}, check{"model.version", m.Version, reVersion, false}, check{"model.digest", m.Digest, reHex, false})
	}
	if h := e.Human; h != nil {
		checks = append(checks, check{"human.reviewer", h.Reviewer, reActor, false}, check{"human.outcome", h.Outcome, reCode, false}, check{"human.override_of", h.OverrideOf, reULID, false})
	}
	if len(e.DataClasses) > maxList {
		return fmt.Errorf("audit: field data_classes has more than %d entries: %w", maxList, ErrEvent)
	}
	for _, c := range e.DataClasses {
		checks = append(checks, check{"data_classes", c, reCode, true})
	}
	return run(checks)
}

func (e Event) validateNamed(k Kind) error {
	for n, v := range e.Commitments {
		if err := k.allows("commitment", k.Commitments, n); err != nil {
			return err
		}
		if !reHex.MatchString(v) {
			return fmt.Errorf("audit: commitment %s is not 64 hexadecimal digits: %w", n, ErrEvent)
		}
	}
	for n, v := range e.Codes {
		if err := k.allows("code", k.Codes, n); err != nil {
			return err
		}
		if !reVersion.MatchString(v) {
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
		{"decision.reason", d.Reason, reCode, true},
		{"decision.policy_hash", d.PolicyHash, reHex, d.Effect == "allow" || d.Reason != NoPolicy},
		{"decision.asked.workspace", d.Asked.Workspace, reSpace, true},
		{"decision.asked.subject.id", d.Asked.Subject.ID, reAsker, true},
		{"decision.asked.action", d.Asked.Action, reAction, true},
		{"decision.asked.object", d.Asked.Object, reAsked, true},
	}
	for _, r := range d.Rules {
		checks = append(checks, check{"decision.rules", r, reRule, true})
	}
	for _, r := range d.Asked.Subject.Roles {
		checks = append(checks, check{"decision.asked.subject.roles", r, reRule, true})
	}
	for n, v := range d.Asked.Context {
		checks = append(checks, check{"decision.asked.context", n, reName, true}, check{"decision.asked.context", v, reVersion, true})
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
