package policy

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

//go:embed model.conf
var modelText string

// Snapshot is an immutable compiled policy of one workspace, safe for
// concurrent use. Rules are indexed by action; of those that cover the request
// the ones that can decide it (the first deny rule and the first allow rule)
// become one small Casbin enforcer, made on first use and kept, which decides on
// all five parts of the matcher again.
type Snapshot struct {
	workspace string
	version   int64
	rules     []compiledRule // sorted by id
	groups    []Grouping     // sorted
	roles     graph
	byAction  map[Action][]*compiledRule
	objects   map[string]pattern
	conds     map[string]condition
	bytes     []byte
	hash      string

	cache cache

	mu    sync.RWMutex
	parts map[string]*part // by the ids of their rules, at most maxParts
}

// part is the enforcer over exactly the rules that decide a request.
type part struct {
	subject  string // stands for the set of principals in the enforcer
	enforcer *casbin.Enforcer
}

const maxParts = 128

// Compile checks rules and groups and makes a snapshot of them. All must name
// one workspace. It refuses, with ErrRule, whatever Casbin would silently
// ignore: unknown effects and actions, patterns and conditions that do not
// parse, cycles and role chains deeper than MaxRoleDepth. No rules at all make
// a policy that denies everything.
func Compile(version int64, rules []Rule, groups []Grouping) (*Snapshot, error) {
	compiled, err := compileRules(rules)
	if err != nil {
		return nil, err
	}
	sorted, roles, err := compileGroups(groups)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{
		version: version, rules: compiled, groups: sorted, roles: roles,
		byAction: map[Action][]*compiledRule{}, objects: map[string]pattern{}, conds: map[string]condition{},
		parts: map[string]*part{},
	}
	for i := range compiled {
		r := &s.rules[i]
		if err := s.join(r.Workspace); err != nil {
			return nil, err
		}
		s.byAction[r.Action] = append(s.byAction[r.Action], r)
		s.objects[r.Object], s.conds[r.Condition] = r.object, r.cond
	}
	for _, g := range sorted {
		if err := s.join(g.Workspace); err != nil {
			return nil, err
		}
	}
	return s, s.seal()
}

// join makes w the snapshot's workspace, or refuses a second one.
func (s *Snapshot) join(w string) error {
	if s.workspace != "" && s.workspace != w {
		return fmt.Errorf("%w: one policy names two workspaces", ErrRule)
	}
	s.workspace = w
	return nil
}

// partFor returns the part over the rules that decide, made on first use.
func (s *Snapshot) partFor(rules ...*compiledRule) (*part, error) {
	var key strings.Builder
	for _, r := range rules {
		key.WriteString(r.ID)
		key.WriteByte(' ')
	}
	s.mu.RLock()
	p := s.parts[key.String()]
	s.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := s.newPart(rules)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) >= maxParts {
		// A part is only a shortcut; dropping all of them costs time, not truth.
		clear(s.parts)
	}
	s.parts[key.String()] = p
	return p, nil
}

// newPart builds the enforcer over some rules of one action. In it the whole set
// of principals is one subject that has each of them as a role: Casbin remembers
// every pair of names it compared, and a set of roles is a bounded name where a
// user is not.
func (s *Snapshot) newPart(rules []*compiledRule) (*part, error) {
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, fmt.Errorf("policy: reading the model: %w", err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, fmt.Errorf("policy: making the enforcer: %w", err)
	}
	e.AddFunction("object", s.matchObject)
	e.AddFunction("cond", s.matchCondition)
	names := map[string]bool{}
	var rows [][]string
	for _, r := range rules {
		names[r.Subject] = true
		rows = append(rows, []string{r.Subject, r.Workspace, r.Object, string(r.Action), r.Condition, r.Effect})
	}
	p := &part{subject: strings.Join(slices.Sorted(maps.Keys(names)), " "), enforcer: e}
	if err := m.AddPolicies("p", "p", rows); err != nil {
		return nil, fmt.Errorf("policy: adding rules: %w", err)
	}
	rm := e.GetNamedRoleManager("g")
	for name := range names {
		if err := rm.AddLink(p.subject, name, s.workspace); err != nil {
			return nil, fmt.Errorf("policy: adding a role link: %w", err)
		}
	}
	return p, nil
}

// matchObject is the matcher's object(r.obj, p.obj).
func (s *Snapshot) matchObject(args ...any) (any, error) {
	object, ok1 := args[0].(string)
	text, ok2 := args[1].(string)
	p, ok3 := s.objects[text]
	return ok1 && ok2 && ok3 && p.match(object), nil
}

// matchCondition is the matcher's cond(p.cond, r.ctx).
func (s *Snapshot) matchCondition(args ...any) (any, error) {
	text, ok1 := args[0].(string)
	ctx, ok2 := args[1].(Context)
	c, ok3 := s.conds[text]
	return ok1 && ok2 && ok3 && c.holds(ctx), nil
}

// enforce asks Casbin.
func (s *Snapshot) enforce(p *part, r Request) (bool, error) {
	return p.enforcer.Enforce(p.subject, r.Workspace, r.Object, string(r.Action), r.Context)
}

// Workspace is the workspace that the snapshot belongs to; empty without rules.
func (s *Snapshot) Workspace() string { return s.workspace }

// Version is the number given to Compile.
func (s *Snapshot) Version() int64 { return s.version }

// Hash is the SHA-256 of Bytes in hexadecimal.
func (s *Snapshot) Hash() string { return s.hash }

// Bytes is the policy as canonical JSON (RFC 8785); Parse reads it back.
func (s *Snapshot) Bytes() []byte { return slices.Clone(s.bytes) }

// Rules returns the rules in canonical form, sorted by id.
func (s *Snapshot) Rules() []Rule {
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = *r.Rule
	}
	return out
}

// Groups returns the groupings, sorted.
func (s *Snapshot) Groups() []Grouping { return slices.Clone(s.groups) }
