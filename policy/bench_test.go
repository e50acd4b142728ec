package policy

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func benchRules(n, actions int) []Rule {
	var rules []Rule
	for i := range n {
		rules = append(rules, Rule{ID: fmt.Sprintf("r-%05d", i), Workspace: "w1", Subject: "role:" + Roles[i%len(Roles)],
			Object: fmt.Sprintf("model:m%d/*", i), Action: Actions[i%actions], Effect: EffectAllow, Condition: "purpose in {audit, research}"})
	}
	return rules
}

func benchDecide(b *testing.B, rules []Rule) {
	s, err := Compile(1, rules, nil)
	if err != nil {
		b.Fatal(err)
	}
	r := Request{Workspace: "w1", Subject: Subject{ID: "user:x", Roles: []string{Analyst}}, Action: Predict,
		Object: "model:m999999/x", Context: Context{Purpose: "audit"}}
	s.decide(r)
	b.ReportAllocs()
	for b.Loop() {
		s.decide(r)
	}
}

// All 100 rules on one action and all of the asking role and object: no cache.
func BenchmarkDecide100Matching(b *testing.B) {
	rules := benchRules(100, 1)
	for i := range rules {
		rules[i].Subject, rules[i].Object = "role:analyst", fmt.Sprintf("model:m%s*", strings.Repeat("9", i%5))
		rules[i].Condition = []string{"", "purpose in {audit}", "purpose in {research}", "data_class <= personal"}[i%4]
	}
	benchDecide(b, rules)
}

// 100 rules on one action, one role of six asks: no cache.
func BenchmarkDecide100(b *testing.B) { benchDecide(b, benchRules(100, 1)) }

// 10,000 rules, about 500 for each action.
func BenchmarkDecide10000(b *testing.B) { benchDecide(b, benchRules(10000, len(Actions))) }

func BenchmarkDecideCached(b *testing.B) {
	s := compileDefault(b)
	r := ask(Analyst, Predict, Context{})
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(r)
	}
}

func BenchmarkCompile10000(b *testing.B) {
	rules := benchRules(10000, len(Actions))
	for b.Loop() {
		if _, err := Compile(1, rules, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWorkspaces holds 1,000 workspaces of 100 rules that have each
// answered every role and action, and reports the memory they keep.
func BenchmarkWorkspaces(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		held := make([]*Snapshot, 1000)
		for i := range held {
			rules := benchRules(100, len(Actions))
			for j := range rules {
				rules[j].Workspace, rules[j].Object = fmt.Sprintf("w%d", i), "*"
			}
			s, err := Compile(1, rules, nil)
			if err != nil {
				b.Fatal(err)
			}
			for _, role := range Roles {
				for _, a := range Actions {
					s.Decide(Request{Workspace: s.workspace, Subject: Subject{ID: "user:x", Roles: []string{role}}, Action: a, Object: "model:m", Context: Context{Purpose: "audit"}})
				}
			}
			held[i] = s
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(held)
	}
}
