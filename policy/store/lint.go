package store

import (
	"fmt"
	"strings"

	"vitrine/policy"
	"vitrine/policy/privacy"
)

// Lint is policy.Lint and also reports masks that no recogniser stands behind.
func Lint(rules []policy.Rule, groups []policy.Grouping) []policy.Issue {
	issues := policy.Lint(rules, groups)
	for _, r := range rules {
		for _, id := range r.Obligations.Mask {
			if !privacy.Known(id) {
				issues = append(issues, policy.Issue{Severity: policy.SeverityError, Code: policy.LintInvalid, RuleID: r.ID,
					Message: fmt.Sprintf("rule %.64q masks %.64q, which no recogniser finds; use one of %s", r.ID, id, knownMasks())})
			}
		}
	}
	return issues
}

func knownMasks() string {
	names := []string{privacy.All}
	for _, r := range privacy.Recognisers() {
		names = append(names, r.ID)
	}
	return strings.Join(names, ", ")
}
