package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/gowebpki/jcs"
)

// plainCasbin is the whole policy in one enforcer, without index, parts or
// cache: what the snapshot must agree with.
func plainCasbin(t *testing.T, s *Snapshot) *casbin.Enforcer {
	t.Helper()
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		t.Fatal(err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		t.Fatal(err)
	}
	e.AddFunction("object", s.matchObject)
	e.AddFunction("cond", s.matchCondition)
	for _, r := range s.rules {
		if err := m.AddPolicy("p", "p", []string{r.Subject, r.Workspace, r.Object, string(r.Action), r.Condition, r.Effect}); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range s.groups {
		if err := e.GetNamedRoleManager("g").AddLink(g.Member, g.Role, g.Workspace); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// randomPolicy has few names, so that most requests meet several rules.
func randomPolicy(r *rand.Rand) ([]Rule, []Grouping) {
	names := []string{"role:a", "role:b", "role:c", "user:u", "key:k"}
	var rules []Rule
	for i := range r.IntN(40) {
		rules = append(rules, Rule{ID: fmt.Sprintf("r-%03d", i), Workspace: "w1", Subject: pick(r, names), Action: pick(r, Actions[:3]),
			Object:    pick(r, []string{"*", "model:*", "model:a", "model:a*", "model:x/:y", "model"}),
			Condition: pick(r, []string{"", "", "purpose in {audit}", "purpose not in {audit} and data_class <= personal", "auth in {password}"}),
			Effect:    pick(r, []string{EffectAllow, EffectAllow, EffectAllow, EffectDeny})})
	}
	var groups []Grouping
	for _, member := range names {
		for _, role := range []string{"role:b", "role:c"} {
			if member < role && r.IntN(3) == 0 || member == "user:u" && r.IntN(3) == 0 {
				groups = append(groups, Grouping{Workspace: "w1", Member: member, Role: role})
			}
		}
	}
	return rules, groups
}

// TestSnapshotEqualsPlainCasbin holds index, parts and cache against one
// enforcer over the whole policy.
func TestSnapshotEqualsPlainCasbin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	allowed := 0
	for range 150 {
		rules, groups := randomPolicy(r)
		s, err := Compile(1, rules, groups)
		if err != nil {
			t.Fatal(err)
		}
		plain := plainCasbin(t, s)
		for range 60 {
			q := Request{Workspace: "w1", Subject: Subject{ID: pick(r, []string{"user:u", "user:other", "key:k", "role:a", "role:b"})},
				Action: pick(r, Actions[:3]), Object: pick(r, []string{"model:a", "model:ab", "model:x/y", "model:x/y/z", "model", "audit"}),
				Context: Context{Purpose: pick(r, Purposes), DataClass: pick(r, DataClasses), Auth: pick(r, Auths)}}
			want, err := plain.Enforce(q.Subject.ID, q.Workspace, q.Object, string(q.Action), q.Context)
			if err != nil {
				t.Fatal(err)
			}
			if len(rules) == 0 {
				want = false
			}
			got := s.Decide(q)
			if got.Allow != want {
				t.Fatalf("%+v: allow %v, Casbin says %v; rules %+v groups %+v", q, got.Allow, want, rules, groups)
			}
			if got.Reason == ReasonUnavailable && len(rules) > 0 {
				t.Fatalf("%+v: index and Casbin disagree", q)
			}
			if want {
				allowed++
			}
		}
	}
	if allowed < 500 {
		t.Errorf("only %d requests were allowed: the test compares too little", allowed)
	}
}

// TestBytesAreCanonical holds the direct encoding against a general RFC 8785
// transformation, with every member filled and with what JSON escapes.
func TestBytesAreCanonical(t *testing.T) {
	two, little := 2, 1e-7
	full := Obligations{Gate: &Gate{Action: GateFallBack, Better: []string{"sufficiency", "infidelity"}, MaxGap: 0.05, MaxP: 1e-6, MinAgreement: &little, Next: []string{"z", "a"}, Sanity: true},
		ExplanationLevel: LevelRounded, ForbidMethods: []string{"b", "a"}, Mask: []string{"pii"}, Methods: []string{"c"}, ModelSeesClear: true, Review: true, Round: &two}
	for _, title := range []string{"", "plain", `<a href="x">&\ "quoted" \u2028`, "line\u2028para\u2029", "中文 é 😀"} {
		s, err := Compile(7, []Rule{{ID: "r-1", Workspace: "w1", Subject: "role:a", Object: "model:*", Action: Explain, Condition: "purpose in {audit}",
			Effect: EffectAllow, Title: title, Obligations: full}}, []Grouping{{Workspace: "w1", Member: "user:x", Role: "role:a"}})
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := json.Unmarshal(s.bytes, &any); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(any)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Transform(raw)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(s.bytes) {
			t.Errorf("title %q:\n got %s\nwant %s", title, s.bytes, want)
		}
	}
}
