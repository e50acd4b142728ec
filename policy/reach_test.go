package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWhoCanIsWhatDecideAllows asks every context of every subject: who-can names
// exactly those that some context lets through, and "always" means every one.
func TestWhoCanIsWhatDecideAllows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	subjects := []Subject{{ID: "user:u"}, {ID: "user:v", Roles: []string{"a", "role:c"}}, {ID: "key:k", Roles: []string{"b"}}, {ID: "user:nobody"}}
	named := 0
	for range 40 {
		rules, groups := randomPolicy(r)
		s, err := Compile(1, rules, groups)
		if err != nil {
			t.Fatal(err)
		}
		for _, action := range Actions[:3] {
			for _, object := range []string{"model:a", "model:ab", "model:x/y", "model"} {
				who := s.WhoCan(action, object, subjects)
				for _, sub := range subjects {
					some, all := false, true
					for _, p := range Purposes {
						for _, c := range DataClasses {
							for _, auth := range Auths {
								ok := s.decide(Request{Workspace: "w1", Subject: sub, Action: action, Object: object, Context: Context{Purpose: p, DataClass: c, Auth: auth}}).Allow
								some, all = some || ok, all && ok
							}
						}
					}
					i := slices.IndexFunc(who, func(a Access) bool { return a.Subject == sub.ID })
					if some && i < 0 {
						t.Fatalf("%s may %s %s and is not named; rules %+v", sub.ID, action, object, rules)
					}
					if i >= 0 && who[i].Always && !all {
						t.Fatalf("%s is said to be always allowed to %s %s; rules %+v", sub.ID, action, object, rules)
					}
					if i >= 0 && !some && len(who[i].Denies) == 0 {
						t.Fatalf("%s is named for %s %s and never may; rules %+v", sub.ID, action, object, rules)
					}
					if i >= 0 {
						named++
						for j, p := range who[i].Paths {
							if p[0] != sub.ID || p[len(p)-1] != who[i].Allows[j].Subject {
								t.Fatalf("path %v does not lead from %s to %s", p, sub.ID, who[i].Allows[j].Subject)
							}
						}
					}
				}
			}
		}
	}
	if named < 200 {
		t.Errorf("only %d ways were found: the test compares too little", named)
	}
}

func TestWhatCanOfShippedRoles(t *testing.T) {
	s := compileDefault(t)
	for _, row := range shipped {
		var got []Action
		for _, a := range s.WhatCan(Subject{ID: "user:x", Roles: []string{row.role}}) {
			got = append(got, a.Action)
		}
		want := slices.Clone(row.actions)
		slices.SortFunc(want, func(a, b Action) int { return slices.Index(Actions, a) - slices.Index(Actions, b) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, the table says %v", row.role, got, want)
		}
	}
	for _, a := range s.WhatCan(Subject{ID: "user:x", Roles: []string{Analyst}}) {
		if a.Always == (a.Action == Predict || a.Action == Generate || a.Action == Explain) {
			t.Errorf("analyst, %s: always = %v", a.Action, a.Always)
		}
	}
}
