package policy

import (
	"slices"
	"strings"
)

// Decide answers the request. It never fails: whatever is wrong with it is a
// denial with a reason. The same snapshot and request give the same decision on
// every machine.
func (s *Snapshot) Decide(r Request) Decision {
	key := cacheKey(r)
	if d, ok := s.cache.get(key); ok {
		d.Request = r
		return d
	}
	d := s.decide(r)
	s.cache.put(key, d)
	d.Request = r
	return d
}

func (s *Snapshot) decide(r Request) Decision {
	d := Decision{Effect: EffectDeny, Reason: ReasonInvalid, RuleIDs: []string{}, PolicyVersion: s.version, PolicyHash: s.hash}
	r, lacked := normalRequest(r)
	if lacked != "" {
		d.Lacked = []string{lacked}
		return d
	}
	principals := s.roles.closure(r.Subject)
	matched, ok := s.matching(r, principals)
	if !ok {
		d.Reason = ReasonUnavailable
		return d
	}
	if len(matched) == 0 {
		return s.noRule(d, r, principals)
	}
	first := matched[0]
	d.Rule, d.RolePath, d.Effect = first.Rule, pathTo(principals, first.Subject), first.Effect
	for _, m := range matched {
		d.RuleIDs = append(d.RuleIDs, m.ID)
	}
	if first.Effect == EffectDeny {
		d.Reason = ReasonDenied
		return d
	}
	d.Obligations = first.Obligations
	for _, m := range matched[1:] {
		d.Obligations = d.Obligations.combine(m.Obligations)
	}
	d.Allow, d.Reason = true, ReasonAllowed
	return withhold(d, r, matched, principals)
}

// matching returns the rules that decide: every matching deny rule if there is
// one, otherwise every matching allow rule, in order of id; nil when none
// matches. Casbin's answer and this list must agree; ok is false if they do not
// or Casbin fails, and the request is then denied.
func (s *Snapshot) matching(r Request, principals map[string]string) (matched []*compiledRule, ok bool) {
	if r.Workspace != s.workspace {
		return nil, true
	}
	var allow, deny, deciding []*compiledRule
	for _, rule := range s.byAction[r.Action] {
		if _, in := principals[rule.Subject]; !in || !rule.object.match(r.Object) || !rule.cond.holds(r.Context) {
			continue
		}
		if rule.Effect == EffectDeny {
			deny = append(deny, rule)
		} else {
			allow = append(allow, rule)
		}
	}
	// Of rules with one effect the second changes no answer.
	for _, rules := range [][]*compiledRule{deny, allow} {
		deciding = append(deciding, rules[:min(1, len(rules))]...)
	}
	if len(deciding) == 0 {
		return nil, true
	}
	p, err := s.partFor(deciding...)
	if err != nil {
		return nil, false
	}
	allowed, err := s.enforce(p, r)
	if err != nil || allowed != (len(deny) == 0) {
		return nil, false
	}
	if len(deny) > 0 {
		return deny, true
	}
	return allow, true
}

// withhold turns an allowed explanation into a denial where an obligation of a
// matched rule forbids it, and names that rule.
func withhold(d Decision, r Request, matched []*compiledRule, principals map[string]string) Decision {
	if r.Action != Explain {
		return d
	}
	reason := ""
	switch {
	case d.Obligations.Level() == LevelNone:
		reason = ReasonNoExplanation
	case r.Context.Method != "" && !d.Obligations.AllowsMethod(r.Context.Method):
		reason = ReasonMethodForbidden
	default:
		return d
	}
	d.Allow, d.Effect, d.Reason = false, EffectDeny, reason
	for _, m := range matched {
		if reason == ReasonNoExplanation && m.Obligations.Level() == LevelNone ||
			reason == ReasonMethodForbidden && !m.Obligations.AllowsMethod(r.Context.Method) {
			d.Rule, d.RolePath = m.Rule, pathTo(principals, m.Subject)
			break
		}
	}
	return d
}

// noRule explains a denial by default: which rule came nearest and what the
// request lacked for it. A missing role counts more than a missing object, that
// more than a condition; ties go to the lower id.
func (s *Snapshot) noRule(d Decision, r Request, principals map[string]string) Decision {
	d.Reason = ReasonNoRule
	if r.Workspace != s.workspace {
		d.Lacked = []string{"workspace: a policy"}
		return d
	}
	var nearest *compiledRule
	best := 0
	for _, rule := range s.byAction[r.Action] {
		if rule.Effect != EffectAllow {
			continue
		}
		if c := distance(rule, r, principals); nearest == nil || c < best {
			nearest, best = rule, c
		}
	}
	if nearest == nil {
		d.Lacked = []string{"action: " + string(r.Action)}
		return d
	}
	d.Nearest, d.Lacked = nearest.Rule, lacks(nearest, r, principals)
	return d
}

// distance is how far the request is from what the rule allows.
func distance(rule *compiledRule, r Request, principals map[string]string) int {
	cost := 0
	if _, ok := principals[rule.Subject]; !ok {
		cost = 100
		if !strings.HasPrefix(rule.Subject, "role:") {
			cost = 150 // being another person is no way to get there
		}
	}
	if !rule.object.match(r.Object) {
		cost += 10
	}
	for _, t := range rule.cond {
		if !t.holds(r.Context) {
			cost++
		}
	}
	return cost
}

// lacks names what distance counted.
func lacks(rule *compiledRule, r Request, principals map[string]string) (lacked []string) {
	if _, ok := principals[rule.Subject]; !ok {
		lacked = append(lacked, rule.Subject)
	}
	if !rule.object.match(r.Object) {
		lacked = append(lacked, "object "+rule.Object)
	}
	return append(lacked, rule.cond.unmet(r.Context)...)
}

// normalRequest fills defaults, writes roles with their kind, sorted, and
// checks every field. lacked says what is wrong, empty when nothing is.
func normalRequest(r Request) (out Request, lacked string) {
	ctx, err := r.Context.normal()
	if err != nil {
		return r, strings.TrimPrefix(err.Error(), "policy: ")
	}
	r.Context = ctx
	if _, _, ok := splitSubject(r.Subject.ID); !ok {
		return r, "subject: user:ID, key:ID or role:NAME"
	}
	if !r.Action.Known() {
		return r, "action: one of " + actionWords()
	}
	if err := checkObject(r.Object); err != nil {
		return r, err.Error()
	}
	if len(r.Subject.Roles) > maxList {
		return r, "subject: fewer roles"
	}
	roles := make([]string, 0, len(r.Subject.Roles))
	for _, name := range r.Subject.Roles {
		name = strings.TrimPrefix(name, "role:")
		if !isName(name) {
			return r, "subject: role names"
		}
		roles = append(roles, "role:"+name)
	}
	slices.Sort(roles)
	r.Subject.Roles = slices.Compact(roles)
	return r, ""
}
