package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrRule is wrapped by every error about a rule or grouping that cannot be
// part of a policy.
var ErrRule = errors.New("policy: invalid rule")

const (
	// MaxRules and MaxGroups bound one workspace's policy.
	MaxRules  = 20000
	MaxGroups = 20000
	// MaxRoleDepth is the longest chain of inheritance. Casbin silently denies
	// beyond ten, so a deeper one is refused before it is in force.
	MaxRoleDepth = 10

	maxTitle = 300
)

// compiledRule is a rule with its pattern and condition parsed.
type compiledRule struct {
	*Rule
	object pattern
	cond   condition
}

// compileRule checks one rule and returns it in canonical form. Conditions that
// known holds by their text are not parsed again; new ones are added to it.
func compileRule(r Rule, known map[string]condition) (compiledRule, error) {
	fail := func(format string, args ...any) (compiledRule, error) {
		return compiledRule{}, fmt.Errorf("%w %s: %s", ErrRule, quote(r.ID), fmt.Sprintf(format, args...))
	}
	if !isName(r.ID) {
		return fail("the id must be 1 to 64 of a-z, 0-9, '.', '-', '_'")
	}
	if !isID(r.Workspace) {
		return fail("workspace %s is not an id", quote(r.Workspace))
	}
	if _, _, ok := splitSubject(r.Subject); !ok {
		return fail("subject %s: write role:NAME, user:ID or key:ID", quote(r.Subject))
	}
	if !r.Action.Known() {
		return fail("unknown action %s: use one of %s", quote(string(r.Action)), actionWords())
	}
	if r.Effect != EffectAllow && r.Effect != EffectDeny {
		return fail("effect %s: use allow or deny", quote(r.Effect))
	}
	if len(r.Title) > maxTitle || strings.ContainsFunc(r.Title, isControl) {
		return fail("the title must be one line of at most %d bytes", maxTitle)
	}
	object, err := compileObject(r.Object)
	if err != nil {
		return fail("%v", err)
	}
	cond, seen := known[r.Condition]
	if !seen {
		if cond, err = compileCondition(r.Condition); err != nil {
			return fail("%v", err)
		}
		known[r.Condition] = cond
	}
	if err := r.Obligations.check(); err != nil {
		return fail("%v", err)
	}
	if r.Effect == EffectDeny && !r.Obligations.empty() {
		return fail("a deny rule cannot carry obligations")
	}
	if r.Obligations.Gate != nil && r.Action != Explain {
		return fail("a gate stands on rules of the action explain")
	}
	r.Condition, r.Obligations = cond.String(), r.Obligations.normal()
	return compiledRule{Rule: &r, object: object, cond: cond}, nil
}

func (o Obligations) empty() bool {
	return len(o.Mask)+len(o.Methods)+len(o.ForbidMethods) == 0 && o.ExplanationLevel == "" && o.Round == nil && o.Gate == nil && !o.ModelSeesClear && !o.Review
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }

func actionWords() string {
	words := make([]string, len(Actions))
	for i, a := range Actions {
		words[i] = string(a)
	}
	return strings.Join(words, ", ")
}

// compileRules checks all rules and returns them sorted by id.
func compileRules(rules []Rule) ([]compiledRule, error) {
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("%w: %d rules are more than %d", ErrRule, len(rules), MaxRules)
	}
	out := make([]compiledRule, 0, len(rules))
	seen := make(map[string]bool, len(rules))
	conds := map[string]condition{}
	for _, r := range rules {
		c, err := compileRule(r, conds)
		if err != nil {
			return nil, err
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("%w %s: the id is used twice", ErrRule, quote(r.ID))
		}
		seen[r.ID] = true
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b compiledRule) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// graph maps a member to the roles it inherits directly, sorted.
type graph map[string][]string

// compileGroups checks the groupings and returns them sorted, with the graph.
// Cycles and chains deeper than MaxRoleDepth are refused.
func compileGroups(groups []Grouping) ([]Grouping, graph, error) {
	if len(groups) > MaxGroups {
		return nil, nil, fmt.Errorf("%w: %d groupings are more than %d", ErrRule, len(groups), MaxGroups)
	}
	sorted := slices.Clone(groups)
	slices.SortFunc(sorted, func(a, b Grouping) int {
		return strings.Compare(a.Member+" "+a.Role, b.Member+" "+b.Role)
	})
	g := graph{}
	for i, x := range sorted {
		if !isID(x.Workspace) {
			return nil, nil, fmt.Errorf("%w: grouping of %s: workspace %s is not an id", ErrRule, quote(x.Member), quote(x.Workspace))
		}
		if _, _, ok := splitSubject(x.Member); !ok {
			return nil, nil, fmt.Errorf("%w: grouping member %s: write role:NAME, user:ID or key:ID", ErrRule, quote(x.Member))
		}
		if kind, _, ok := splitSubject(x.Role); !ok || kind != "role" {
			return nil, nil, fmt.Errorf("%w: %s inherits %s, which is not a role: write role:NAME", ErrRule, quote(x.Member), quote(x.Role))
		}
		if i > 0 && sorted[i-1] == x {
			return nil, nil, fmt.Errorf("%w: the grouping %s → %s is there twice", ErrRule, x.Member, x.Role)
		}
		g[x.Member] = append(g[x.Member], x.Role)
	}
	if path := g.trouble(); path != nil {
		return nil, nil, fmt.Errorf("%w: %s", ErrRule, troubleText(path))
	}
	return sorted, g, nil
}

// trouble returns the path of a cycle (first and last equal) or of a chain that
// is deeper than MaxRoleDepth; nil when the graph is sound.
func (g graph) trouble() []string {
	depth := map[string]int{} // longest chain below a finished node
	var path []string
	var visit func(n string) []string
	visit = func(n string) []string {
		if i := slices.Index(path, n); i >= 0 {
			return append(slices.Clone(path[i:]), n)
		}
		if _, done := depth[n]; done && len(path)+depth[n] <= MaxRoleDepth {
			return nil
		}
		if len(path) > MaxRoleDepth {
			return append(slices.Clone(path), n)
		}
		path = append(path, n)
		deepest := 0
		for _, next := range g[n] {
			if bad := visit(next); bad != nil {
				return bad
			}
			deepest = max(deepest, depth[next]+1)
		}
		path = path[:len(path)-1]
		depth[n] = deepest
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(g)) {
		if bad := visit(n); bad != nil {
			return bad
		}
	}
	return nil
}

func troubleText(path []string) string {
	if path[0] == path[len(path)-1] {
		return "roles inherit each other in a circle: " + strings.Join(path, " → ")
	}
	return fmt.Sprintf("the chain of roles is deeper than %d: %s", MaxRoleDepth, strings.Join(path, " → "))
}

// closure maps every principal that the subject counts as to the one it came
// from; the subject itself comes from "". Breadth first over sorted edges, so
// that the role path is the shortest and always the same.
func (g graph) closure(s Subject) map[string]string {
	from := map[string]string{s.ID: ""}
	queue := []string{s.ID}
	for _, r := range s.Roles {
		if _, seen := from[r]; !seen {
			from[r] = s.ID
			queue = append(queue, r)
		}
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, next := range g[n] {
			if _, seen := from[next]; !seen {
				from[next] = n
				queue = append(queue, next)
			}
		}
	}
	return from
}

// pathTo is the chain from the subject to the principal.
func pathTo(from map[string]string, principal string) []string {
	var path []string
	for n := principal; n != ""; n = from[n] {
		path = append(path, n)
	}
	slices.Reverse(path)
	return path
}
