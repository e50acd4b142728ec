package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknownPurpose is returned for a purpose that is not in Purposes.
var ErrUnknownPurpose = errors.New("unknown purpose")

// Defaults of an empty context.
const (
	PurposeUnspecified = "unspecified"
	ClassDefault       = "internal"
)

// Purposes are the reasons for which the service may be asked, a closed list:
// a purpose that is not here is an error and not merely unmatched, so that a
// typing mistake cannot slip past a rule.
var Purposes = []string{
	PurposeUnspecified,
	"quality-review",
	"customer-support",
	"content-moderation",
	"research",
	"model-validation",
	"audit",
	"credit-scoring",
	"recruitment",
}

// DataClasses from the least to the most sensitive; "special" are the special
// categories of GDPR Art. 9.
var DataClasses = []string{"public", ClassDefault, "personal", "special"}

// Auths are the ways to authenticate that conditions can name.
var Auths = []string{"password", "demo-link", "api-key", "local-file", "password-code", "oidc"}

// CheckPurpose returns the purpose to record for p: p itself, or "unspecified"
// for an empty p. ErrUnknownPurpose names the known ones.
func CheckPurpose(p string) (string, error) {
	if p == "" {
		return PurposeUnspecified, nil
	}
	if slices.Contains(Purposes, p) {
		return p, nil
	}
	return "", fmt.Errorf("policy: %w %s: use one of %s", ErrUnknownPurpose, quote(p), strings.Join(Purposes, ", "))
}

// normal fills the defaults of an empty context and checks the rest against the
// closed lists.
func (c Context) normal() (Context, error) {
	purpose, err := CheckPurpose(c.Purpose)
	if err != nil {
		return c, err
	}
	c.Purpose = purpose
	if c.DataClass == "" {
		c.DataClass = ClassDefault
	}
	if !slices.Contains(DataClasses, c.DataClass) {
		return c, fmt.Errorf("policy: unknown data class %s: use one of %s", quote(c.DataClass), strings.Join(DataClasses, ", "))
	}
	if c.Method != "" && !isName(c.Method) {
		return c, fmt.Errorf("policy: explanation method %s is not a name", quote(c.Method))
	}
	if c.Auth != "" && !slices.Contains(Auths, c.Auth) {
		return c, fmt.Errorf("policy: unknown authentication %s", quote(c.Auth))
	}
	return c, nil
}

// isName reports whether s is a closed word: 1 to 64 of a-z, 0-9, '.', '-', '_'.
// Only ASCII, so that look-alike letters cannot make a second word.
func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && (c != '.' || i == 0) {
			return false
		}
	}
	return true
}

// isID reports whether s is an opaque id: 1 to 64 letters, digits, '.', '-', '_'.
func isID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' && s[i] != '_' && s[i] != '.' {
			return false
		}
	}
	return true
}

// splitSubject splits "user:01J…" into its kind and id and checks both. A
// second colon is refused: "user:role:admin" is nobody.
func splitSubject(s string) (kind, id string, ok bool) {
	kind, id, ok = strings.Cut(s, ":")
	if !ok {
		return "", "", false
	}
	switch kind {
	case "role":
		return kind, id, isName(id)
	case "user", "key":
		return kind, id, isID(id)
	}
	return "", "", false
}

// quote shows a hostile value in an error, shortened and escaped.
func quote(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fmt.Sprintf("%+q", s)
}
