package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Severities of an Issue.
const (
	SeverityError   = "error"   // the policy cannot be put into force
	SeverityWarning = "warning" // it can, but somebody should look
)

// Codes of an Issue, a closed list.
const (
	LintInvalid     = "invalid-rule"
	LintRoles       = "role-graph"
	LintLockout     = "admin-lockout"
	LintWildcard    = "wildcard"
	LintUnreachable = "unreachable"
	LintDuplicate   = "duplicate"
	LintUnknownRole = "unknown-role"
	LintEmpty       = "empty"
)

// Issue is one finding of Lint. RuleID is empty when it is about the whole.
type Issue struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	RuleID   string `json:"rule_id"`
	Message  string `json:"message"`
}

// Lint looks for what would surprise people once the rules are in force. It
// reports every broken rule and not only the first. Without an issue of
// SeverityError the rules compile and somebody can still edit them.
func Lint(rules []Rule, groups []Grouping) []Issue {
	var issues []Issue
	add := func(severity, code, rule, message string) {
		issues = append(issues, Issue{severity, code, rule, message})
	}
	var sound []compiledRule
	conds := map[string]condition{}
	for _, r := range rules {
		c, err := compileRule(r, conds)
		if err != nil {
			add(SeverityError, LintInvalid, r.ID, err.Error())
			continue
		}
		sound = append(sound, c)
	}
	if _, _, err := compileGroups(groups); err != nil {
		add(SeverityError, LintRoles, "", err.Error())
	}
	if len(rules) == 0 {
		add(SeverityWarning, LintEmpty, "", "a policy without rules denies everything")
	}
	first := map[[5]string]string{}
	for _, r := range sound {
		issues = append(issues, lintRule(r, groups)...)
		key := [5]string{r.Subject, string(r.Action), r.Object, r.Condition, r.Effect}
		if other, twice := first[key]; twice {
			add(SeverityWarning, LintDuplicate, r.ID, fmt.Sprintf("rule %s says the same as %s; the stricter obligations of both apply", r.ID, other))
			continue
		}
		first[key] = r.ID
	}
	if len(issues) == 0 || !HasErrors(issues) {
		s, err := Compile(0, rules, groups)
		if err != nil {
			add(SeverityError, LintInvalid, "", err.Error())
		} else if len(s.Administrators()) == 0 {
			add(SeverityError, LintLockout, "", "no role could edit this policy any more: keep policy.edit and user.manage allowed for one role")
		} else if s.needsReview() && len(s.rolesWith(PolicyApprove)) == 0 {
			add(SeverityError, LintLockout, "", "changes of the policy wait for a second person, and no role could approve one: allow policy.approve for a role")
		}
	}
	return issues
}

// HasErrors reports whether one of the issues keeps the policy from being put
// into force.
func HasErrors(issues []Issue) bool {
	return slices.ContainsFunc(issues, func(i Issue) bool { return i.Severity == SeverityError })
}

func lintRule(r compiledRule, groups []Grouping) []Issue {
	var out []Issue
	warn := func(code, format string, args ...any) {
		out = append(out, Issue{SeverityWarning, code, r.ID, fmt.Sprintf(format, args...)})
	}
	if r.Effect == EffectAllow && r.object.all {
		warn(LintWildcard, "rule %s allows %s on every object of every kind", r.ID, r.Action)
	}
	if r.cond.contradictory() {
		warn(LintUnreachable, "rule %s can never match: its condition contradicts itself", r.ID)
	}
	if !r.object.all && r.object.kind != objectKind[r.Action] {
		warn(LintUnreachable, "rule %s can never match: %s is about %s objects, not %s", r.ID, r.Action, objectKind[r.Action], r.object.kind)
	}
	if len(r.cond.mentioned("method")) > 0 && r.Action != Explain {
		warn(LintUnreachable, "rule %s asks for an explanation method, which %s does not have", r.ID, r.Action)
	}
	if r.Obligations.Review && r.Action != PolicyEdit {
		warn(LintUnreachable, "rule %s asks for a second person, which only a change of the policy waits for", r.ID)
	}
	if kind, name, _ := splitSubject(r.Subject); kind == "role" && !KnownRole(name) &&
		!slices.ContainsFunc(groups, func(g Grouping) bool { return g.Role == r.Subject || g.Member == r.Subject }) {
		warn(LintUnknownRole, "rule %s is for %s, which nobody can have", r.ID, r.Subject)
	}
	return out
}

// needsReview reports whether some rule makes a change of the policy wait for a
// second person.
func (s *Snapshot) needsReview() bool {
	return slices.ContainsFunc(s.byAction[PolicyEdit], func(r *compiledRule) bool { return r.Obligations.Review })
}

// Administrators returns the roles that may both edit the policy and manage
// users, asked as a signed-in person without a stated purpose would.
func (s *Snapshot) Administrators() []string { return s.rolesWith(PolicyEdit, UserManage) }

// rolesWith returns the roles that may do all of the actions.
func (s *Snapshot) rolesWith(actions ...Action) []string {
	names := map[string]bool{}
	for _, r := range Roles {
		names["role:"+r] = true
	}
	for _, r := range s.rules {
		if strings.HasPrefix(r.Subject, "role:") {
			names[r.Subject] = true
		}
	}
	var out []string
	for name := range names {
		lacks := slices.ContainsFunc(actions, func(a Action) bool {
			return !s.decide(Request{Workspace: s.workspace, Subject: Subject{ID: name}, Action: a,
				Object: strings.TrimSuffix(a.DefaultObject(), "*") + s.workspace, Context: Context{Auth: "password"}}).Allow
		})
		if !lacks {
			out = append(out, strings.TrimPrefix(name, "role:"))
		}
	}
	slices.Sort(out)
	return out
}
