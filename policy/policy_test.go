package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func compileDefault(t testing.TB) *Snapshot {
	t.Helper()
	rules, groups := Default("w1")
	s, err := Compile(1, rules, groups)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(role string, a Action, ctx Context) Request {
	return Request{Workspace: "w1", Subject: Subject{ID: "user:01J", Roles: []string{role}}, Action: a, Object: a.Object("x"), Context: ctx}
}

// Every cell of the shipped matrix, as a table that a person can read.
func TestDefaultMatrix(t *testing.T) {
	s := compileDefault(t)
	if issues := Lint(s.Rules(), nil); len(issues) != 0 {
		t.Errorf("the shipped policy has lint issues: %+v", issues)
	}
	for _, row := range shipped {
		open := map[Action]bool{}
		for _, a := range row.actions {
			open[a] = true
		}
		for _, a := range Actions {
			d := s.Decide(ask(row.role, a, Context{}))
			if d.Allow != open[a] {
				t.Errorf("%s × %s: allow %v, want %v (%s)", row.role, a, d.Allow, open[a], d.Reason)
			}
			if d.Allow && (d.Rule == nil || strings.Join(d.RolePath, ">") != "user:01J>role:"+row.role) {
				t.Errorf("%s × %s: no rule or role path: %+v", row.role, a, d)
			}
			if !d.Allow && d.Nearest == nil && a != Predict {
				t.Errorf("%s × %s: a denial without the nearest rule", row.role, a)
			}
		}
	}
}

func TestShippedRefusals(t *testing.T) {
	s := compileDefault(t)
	for _, c := range []struct {
		req    Request
		reason string
		rule   string
	}{
		{ask(Analyst, Predict, Context{Purpose: "quality-review"}), ReasonAllowed, "r-001"},
		{ask(Analyst, Predict, Context{Purpose: "credit-scoring"}), ReasonDenied, "r-901"},
		{ask(Analyst, Generate, Context{Purpose: "recruitment"}), ReasonDenied, "r-903"},
		{ask(Analyst, Explain, Context{Purpose: "customer-support", Method: "attention"}), ReasonDenied, "r-902"},
		{ask(Analyst, Explain, Context{Purpose: "customer-support", Method: "integrated-gradients"}), ReasonAllowed, "r-003"},
		{ask(Analyst, Explain, Context{Method: "attention"}), ReasonAllowed, "r-003"},
		{ask(ModelOwner, Predict, Context{Purpose: "credit-scoring"}), ReasonAllowed, "r-006"},
		{ask(Analyst, Predict, Context{Purpose: "no-such"}), ReasonInvalid, ""},
		{ask(Analyst, AuditRead, Context{}), ReasonNoRule, ""},
	} {
		d := s.Decide(c.req)
		id := ""
		if d.Rule != nil {
			id = d.Rule.ID
		}
		if d.Reason != c.reason || id != c.rule {
			t.Errorf("%+v: got %s by %q, want %s by %q", c.req, d.Reason, id, c.reason, c.rule)
		}
	}
	d := s.Decide(ask(Analyst, AuditRead, Context{}))
	if d.Nearest == nil || d.Nearest.ID != "r-019" || len(d.Lacked) != 1 || d.Lacked[0] != "role:auditor" {
		t.Errorf("nearest of a denied audit.read: %+v lacked %v", d.Nearest, d.Lacked)
	}
}

// The local operator has every role and must get full explanations and pass
// wherever one role passes without a deny rule.
func TestAllRolesTogether(t *testing.T) {
	s := compileDefault(t)
	for _, a := range Actions {
		r := Request{Workspace: "w1", Subject: Subject{ID: "user:local", Roles: Roles}, Action: a, Object: a.Object("")}
		if d := s.Decide(r); !d.Allow {
			t.Errorf("%s: %s", a, d.Reason)
		} else if a == Explain && d.Obligations.Level() != LevelFull {
			t.Errorf("explain: level %s", d.Obligations.Level())
		}
	}
}

func TestSubjectsThatMustNotInherit(t *testing.T) {
	rules, _ := Default("w1")
	s, err := Compile(1, rules, []Grouping{{Workspace: "w1", Member: "role:lead", Role: "role:admin"}, {Workspace: "w1", Member: "user:boss", Role: "role:lead"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sub  Subject
		want bool
	}{
		{Subject{ID: "user:admin"}, false},
		{Subject{ID: "key:admin"}, false},
		{Subject{ID: "user:role:admin"}, false},
		{Subject{ID: "user:x", Roles: []string{"admin "}}, false},
		{Subject{ID: "user:x", Roles: []string{"Admin"}}, false},
		{Subject{ID: "user:x", Roles: []string{"аdmin"}}, false}, // Cyrillic а
		{Subject{ID: "user:x", Roles: []string{"user:boss"}}, false},
		{Subject{ID: "user:x role:admin"}, false},
		{Subject{ID: "admin"}, false},
		{Subject{}, false},
		{Subject{ID: "user:x", Roles: []string{"admin"}}, true},
		{Subject{ID: "user:x", Roles: []string{"role:admin"}}, true},
		{Subject{ID: "user:x", Roles: []string{"lead"}}, true},
		{Subject{ID: "user:boss"}, true},
		{Subject{ID: "role:admin"}, true},
	} {
		d := s.Decide(Request{Workspace: "w1", Subject: c.sub, Action: PolicyEdit, Object: "policy"})
		if d.Allow != c.want {
			t.Errorf("%+v: allow %v", c.sub, d.Allow)
		}
	}
	d := s.Decide(Request{Workspace: "w1", Subject: Subject{ID: "user:boss"}, Action: PolicyEdit, Object: "policy"})
	if got := strings.Join(d.RolePath, ">"); got != "user:boss>role:lead>role:admin" {
		t.Errorf("role path %s", got)
	}
	if d := s.Decide(Request{Workspace: "w2", Subject: Subject{ID: "user:boss"}, Action: PolicyEdit, Object: "policy"}); d.Allow {
		t.Error("a policy answered for another workspace")
	}
}

func TestEmptyPolicyDenies(t *testing.T) {
	s, err := Compile(1, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range Actions {
		for _, w := range []string{"", "w1"} {
			if d := s.Decide(Request{Workspace: w, Subject: Subject{ID: "user:x", Roles: Roles}, Action: a, Object: a.Object("")}); d.Allow {
				t.Errorf("%s allowed by an empty policy", a)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	good := Rule{ID: "r-1", Workspace: "w1", Subject: "role:analyst", Object: "model:*", Action: Predict, Effect: EffectAllow}
	round := 99
	for name, change := range map[string]func(*Rule){
		"effect":           func(r *Rule) { r.Effect = "alow" },
		"effect case":      func(r *Rule) { r.Effect = "Allow" },
		"action":           func(r *Rule) { r.Action = "predikt" },
		"subject":          func(r *Rule) { r.Subject = "analyst" },
		"subject space":    func(r *Rule) { r.Subject = "role:analyst " },
		"look-alike":       func(r *Rule) { r.Subject = "role:аnalyst" },
		"object":           func(r *Rule) { r.Object = "model:*x" },
		"object long":      func(r *Rule) { r.Object = "model:" + strings.Repeat("a", 10<<20) },
		"no workspace":     func(r *Rule) { r.Workspace = "" },
		"condition field":  func(r *Rule) { r.Condition = "weather in {rain}" },
		"condition value":  func(r *Rule) { r.Condition = "purpose in {fun}" },
		"condition eval":   func(r *Rule) { r.Condition = `eval("true")` },
		"condition braces": func(r *Rule) { r.Condition = "purpose in research" },
		"level":            func(r *Rule) { r.Obligations.ExplanationLevel = "some" },
		"round":            func(r *Rule) { r.Obligations.Round = &round },
		"mask":             func(r *Rule) { r.Obligations.Mask = []string{"E-Mail"} },
		"deny duties":      func(r *Rule) { r.Effect = EffectDeny; r.Obligations.Mask = []string{"email"} },
		"title":            func(r *Rule) { r.Title = "a\nb" },
		"id":               func(r *Rule) { r.ID = "R 1" },
	} {
		r := good
		change(&r)
		if _, err := Compile(1, []Rule{r}, nil); !errors.Is(err, ErrRule) {
			t.Errorf("%s: %v", name, err)
		} else if len(err.Error()) > 600 {
			t.Errorf("%s: the error repeats a long value", name)
		}
		if !HasErrors(Lint([]Rule{r}, nil)) {
			t.Errorf("%s: lint is silent", name)
		}
	}
	if _, err := Compile(1, []Rule{good, good}, nil); !errors.Is(err, ErrRule) {
		t.Error("a rule id used twice was accepted")
	}
	other := good
	other.ID, other.Workspace = "r-2", "w2"
	if _, err := Compile(1, []Rule{good, other}, nil); !errors.Is(err, ErrRule) {
		t.Error("two workspaces in one policy were accepted")
	}
}

func TestRoleGraph(t *testing.T) {
	chain := func(n int) (out []Grouping) {
		for i := range n {
			out = append(out, Grouping{Workspace: "w1", Member: fmt.Sprintf("role:a%02d", i), Role: fmt.Sprintf("role:a%02d", i+1)})
		}
		return out
	}
	if _, err := Compile(1, nil, chain(MaxRoleDepth)); err != nil {
		t.Errorf("a chain of ten: %v", err)
	}
	for name, groups := range map[string][]Grouping{
		"chain of 13":  chain(13),
		"chain of 11":  chain(11),
		"self":         {{"w1", "role:a", "role:a"}},
		"circle":       {{"w1", "role:a", "role:b"}, {"w1", "role:b", "role:c"}, {"w1", "role:c", "role:a"}},
		"to a user":    {{"w1", "role:a", "user:b"}},
		"bare":         {{"w1", "a", "role:b"}},
		"twice":        {{"w1", "role:a", "role:b"}, {"w1", "role:a", "role:b"}},
		"no workspace": {{"", "role:a", "role:b"}},
	} {
		if _, err := Compile(1, nil, groups); !errors.Is(err, ErrRule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A role ten deep still decides: Casbin alone would deny here in silence.
	rules := []Rule{{ID: "r-1", Workspace: "w1", Subject: "role:a10", Object: "model:*", Action: Predict, Effect: EffectAllow}}
	s, err := Compile(1, rules, chain(MaxRoleDepth))
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Decide(Request{Workspace: "w1", Subject: Subject{ID: "user:x", Roles: []string{"a00"}}, Action: Predict, Object: "model:m"}); !d.Allow || len(d.RolePath) != 12 {
		t.Errorf("ten deep: %+v", d)
	}
}

func TestObjectPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, object string
		want            bool
	}{
		{"model:*", "model:a", true},
		{"model:*", "model:org/a@1.2", true},
		{"model:*", "model", true},
		{"model:*", "models:a", false},
		{"model:*", "xmodel:a", false},
		{"model:a", "model:a", true},
		{"model:a", "model:b", false}, // keyMatch2 itself would say yes
		{"model:a", "model:ab", false},
		{"model:a", "model", false},
		{"model:a*", "model:abc", true},
		{"model:a*", "model:b", false},
		{"model:org/*", "model:org/x", true},
		{"model:org/*", "model:org", false},
		{"model:org/*", "model:orgx/y", false},
		{"model:org/:name", "model:org/x", true},
		{"model:org/:name", "model:org/x/y", false},
		{"model:org/:name", "model:org/", false},
		{"model:org/:name/v1", "model:org/x/v1", true},
		{"model:org/:name/v1", "model:org/x/v2", false},
		{"audit", "audit", true},
		{"audit", "audit:x", false},
		{"*", "anything:at/all", true},
	} {
		p, err := compileObject(c.pattern)
		if err != nil {
			t.Fatalf("%s: %v", c.pattern, err)
		}
		if got := p.match(c.object); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.object, got)
		}
	}
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		cond string
		ctx  Context
		want bool
	}{
		{"", Context{}, true},
		{"purpose in {research, audit}", Context{Purpose: "audit"}, true},
		{"purpose in {research, audit}", Context{}, false},
		{"purpose in {unspecified}", Context{}, true},
		{"purpose not in {research}", Context{}, true},
		{"purpose not in {research}", Context{Purpose: "research"}, false},
		{"data_class <= internal", Context{}, true},
		{"data_class <= internal", Context{DataClass: "personal"}, false},
		{"data_class <= special", Context{DataClass: "personal"}, true},
		{"data_class in {public, internal} and purpose in {audit}", Context{Purpose: "audit"}, true},
		{"data_class in {public} and purpose in {audit}", Context{Purpose: "audit"}, false},
		{"auth in {password}", Context{Auth: "password"}, true},
		{"auth in {password}", Context{}, false},
		{"method not in {attention}", Context{}, true},
	} {
		compiled, err := compileCondition(c.cond)
		if err != nil {
			t.Fatalf("%s: %v", c.cond, err)
		}
		ctx, err := c.ctx.normal()
		if err != nil {
			t.Fatal(err)
		}
		if got := compiled.holds(ctx); got != c.want {
			t.Errorf("%q on %+v: %v", c.cond, c.ctx, got)
		}
		again, err := compileCondition(compiled.String())
		if err != nil || again.String() != compiled.String() {
			t.Errorf("%q: canonical form %q does not read back: %v", c.cond, compiled.String(), err)
		}
	}
}

func TestObligationsCombine(t *testing.T) {
	two, four := 2, 4
	rules := []Rule{
		{ID: "r-1", Workspace: "w1", Subject: "role:analyst", Object: "model:*", Action: Explain, Effect: EffectAllow,
			Obligations: Obligations{Mask: []string{"phone", "email"}, ExplanationLevel: LevelRounded, Round: &four, ModelSeesClear: true, Methods: []string{"occlusion", "saliency"}}},
		{ID: "r-2", Workspace: "w1", Subject: "role:reviewer", Object: "model:*", Action: Explain, Effect: EffectAllow,
			Obligations: Obligations{Mask: []string{"email", "iban"}, ExplanationLevel: LevelSigns, Round: &two, Methods: []string{"saliency"}, ForbidMethods: []string{"attention"}}},
	}
	s, err := Compile(1, rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Workspace: "w1", Subject: Subject{ID: "user:x", Roles: []string{"reviewer", "analyst"}}, Action: Explain, Object: "model:m"}
	d := s.Decide(r)
	got, _ := json.Marshal(d.Obligations)
	want := `{"explanation_level":"signs","forbid_methods":["attention"],"mask":["email","iban","phone"],"methods":["saliency"],"round":2}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if strings.Join(d.RuleIDs, " ") != "r-1 r-2" {
		t.Errorf("rules %v", d.RuleIDs)
	}
	r.Context.Method = "occlusion"
	if d := s.Decide(r); d.Allow || d.Reason != ReasonMethodForbidden || d.Rule.ID != "r-2" {
		t.Errorf("forbidden method: %+v", d)
	}
	r.Context.Method = "saliency"
	if d := s.Decide(r); !d.Allow {
		t.Errorf("open method: %+v", d)
	}
	if got := (Obligations{Round: &two}).Rounded(0.12678); got != 0.13 {
		t.Errorf("rounded to %v", got)
	}
}

func TestBytesReadBack(t *testing.T) {
	s := compileDefault(t)
	p, err := Parse(s.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash() != s.Hash() || p.Version() != 1 || p.Workspace() != "w1" {
		t.Error("the snapshot read back differs")
	}
	// The order in which rules are given does not matter.
	rules := s.Rules()
	rules[0], rules[5] = rules[5], rules[0]
	if again, err := Compile(1, rules, nil); err != nil || again.Hash() != s.Hash() {
		t.Errorf("another order, another hash: %v", err)
	}
	for name, bad := range map[string][]byte{
		"empty":    nil,
		"space":    append([]byte(" "), s.Bytes()...),
		"trailing": append(s.Bytes(), '\n'),
		"field":    []byte(strings.Replace(string(s.Bytes()), `"format"`, `"extra":1,"format"`, 1)),
		"effect":   []byte(strings.Replace(string(s.Bytes()), `"allow"`, `"alow"`, 1)),
		"model":    []byte(strings.Replace(string(s.Bytes()), `g(r.sub, p.sub, r.dom)`, `true`, 1)),
		"twice":    []byte(strings.Replace(string(s.Bytes()), `"version":1`, `"version":1,"version":1`, 1)),
	} {
		if _, err := Parse(bad); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedecide(t *testing.T) {
	s := compileDefault(t)
	var d Redecider
	for _, r := range []Request{
		ask(Analyst, Predict, Context{}), ask(Analyst, Predict, Context{Purpose: "credit-scoring"}),
		ask(Analyst, Explain, Context{Purpose: "customer-support", Method: "attention"}), ask(Analyst, Export, Context{}),
	} {
		raw, _ := json.Marshal(r)
		want := s.Decide(r)
		effect, ids, err := d.Redecide(s.Bytes(), raw)
		if err != nil || effect != want.Effect || strings.Join(ids, " ") != strings.Join(want.RuleIDs, " ") {
			t.Errorf("%s: %s %v %v, want %s %v", raw, effect, ids, err, want.Effect, want.RuleIDs)
		}
	}
	if _, _, err := d.Redecide([]byte("{}"), []byte("{}")); err == nil {
		t.Error("a broken snapshot gave a decision")
	}
	if _, _, err := d.Redecide(s.Bytes(), []byte(`{"who":1}`)); err == nil {
		t.Error("a broken request gave a decision")
	}
}

func TestMatrixEdit(t *testing.T) {
	s := compileDefault(t)
	if c := s.cell(Analyst, Predict); c.State != CellConditional || len(c.Rules) != 2 {
		t.Errorf("analyst × predict: %+v", c)
	}
	rules, err := SetCell(s.Rules(), "w1", Edit{Role: Analyst, Action: Export, Effect: CellAllow})
	if err != nil {
		t.Fatal(err)
	}
	after, err := Compile(2, rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	changes := Diff(s, after)
	if len(changes) != 1 || changes[0].Role != Analyst || changes[0].Action != Export || changes[0].Direction != Gains ||
		changes[0].Before != CellNone || changes[0].After != CellAllow {
		t.Errorf("diff: %+v", changes)
	}
	for _, state := range []string{CellDeny, CellNone} {
		rules, err = SetCell(rules, "w1", Edit{Role: Analyst, Action: Predict, Effect: state})
		if err != nil {
			t.Fatal(err)
		}
		next, err := Compile(3, rules, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := next.cell(Analyst, Predict).State; got != state {
			t.Errorf("set %s, got %s", state, got)
		}
		if d := next.Decide(ask(Analyst, Predict, Context{})); d.Allow {
			t.Errorf("%s still allows", state)
		}
	}
	if len(Diff(s, s)) != 0 {
		t.Error("a policy differs from itself")
	}
}

func TestLintWarnings(t *testing.T) {
	rules, _ := Default("w1")
	add := func(r Rule) []Rule { r.Workspace = "w1"; return append(append([]Rule(nil), rules...), r) }
	var noAdmin []Rule
	for _, r := range rules {
		if r.Action != PolicyEdit {
			noAdmin = append(noAdmin, r)
		}
	}
	for _, c := range []struct {
		code  string
		rules []Rule
	}{
		{LintWildcard, add(Rule{ID: "x", Subject: "role:admin", Object: "*", Action: Predict, Effect: EffectAllow})},
		{LintUnreachable, add(Rule{ID: "x", Subject: "role:admin", Object: "model:*", Action: Predict, Effect: EffectAllow, Condition: "purpose in {audit} and purpose in {research}"})},
		{LintUnreachable, add(Rule{ID: "x", Subject: "role:admin", Object: "audit:*", Action: Predict, Effect: EffectAllow})},
		{LintUnreachable, add(Rule{ID: "x", Subject: "role:admin", Object: "model:*", Action: Predict, Effect: EffectAllow, Condition: "method in {occlusion}"})},
		{LintUnknownRole, add(Rule{ID: "x", Subject: "role:anlyst", Object: "model:*", Action: Predict, Effect: EffectAllow})},
		{LintDuplicate, add(Rule{ID: "x", Subject: "role:admin", Object: "model:*", Action: Predict, Effect: EffectAllow})},
		{LintLockout, noAdmin},
		{LintEmpty, nil},
	} {
		found := false
		for _, i := range Lint(c.rules, nil) {
			found = found || i.Code == c.code
		}
		if !found {
			t.Errorf("%s not reported: %+v", c.code, Lint(c.rules, nil))
		}
	}
}

// No decision on a mixed version, and the same answers from many goroutines;
// meaningful under -race.
func TestConcurrentDecisions(t *testing.T) {
	s := compileDefault(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				role := Roles[(g+i)%len(Roles)]
				r := Request{Workspace: "w1", Subject: Subject{ID: fmt.Sprintf("user:%d", i), Roles: []string{role}}, Action: Predict, Object: "model:m"}
				want := role == Analyst || role == ModelOwner || role == Admin
				if d := s.Decide(r); d.Allow != want {
					t.Errorf("%s: %v", role, d)
				}
			}
		})
	}
	wg.Wait()
}
