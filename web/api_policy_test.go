package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/web/app"
)

func question(kind, id string) obj {
	return obj{"subject": obj{"type": kind, "id": id}, "action": obj{"name": "export"}, "resource": obj{"type": "audit", "id": "any"}}
}

// inForce reads the policy and puts it back when the test ends.
func inForce(t *testing.T, admin *client) app.PolicyView {
	t.Helper()
	var v app.PolicyView
	admin.call(http.MethodGet, "/api/v1/policies", nil).into(t, &v)
	first := v.Version
	t.Cleanup(func() {
		var now app.PolicyView
		admin.call(http.MethodGet, "/api/v1/policies", nil).into(t, &now)
		if now.Version != first {
			if a := admin.call(http.MethodPost, "/api/v1/policies/rollback", obj{"base": now.Version, "version": first, "reason": "as before the test"}); a.status != http.StatusCreated && a.problem(t).Code != "unchanged" {
				t.Errorf("rollback: %d %.300s", a.status, a.body)
			}
		}
	})
	return v
}

// decide asks over AuthZEN.
func decide(t *testing.T, c *client, role, action, object string, context obj) bool {
	t.Helper()
	kind, id, _ := strings.Cut(object, ":")
	a := c.call(http.MethodPost, "/access/v1/evaluation", obj{"subject": obj{"type": "role", "id": role}, "action": obj{"name": action}, "resource": obj{"type": kind, "id": id}, "context": context})
	if a.status != http.StatusOK {
		t.Fatalf("evaluation: %d %.300s", a.status, a.body)
	}
	var out authzenAnswer
	a.into(t, &out)
	return out.Decision
}

// TestPreviewIsWhatHappens makes changes as an administrator would and holds what the
// preview said against the decisions before and after.
func TestPreviewIsWhatHappens(t *testing.T) {
	admin := program(t, policy.Admin)
	v := inForce(t, admin)
	for _, cells := range [][]obj{
		{{"role": "analyst", "action": "export", "effect": "allow", "condition": "purpose in {audit}"}},
		{{"role": "analyst", "action": "predict", "effect": "deny", "keep_others": true}, {"role": "auditor", "action": "audit.read", "effect": "none"}},
		{{"role": "analyst", "action": "predict", "effect": "allow", "obligations": obj{"mask": []string{"iban"}, "explanation_level": "", "methods": []string{}, "forbid_methods": []string{}, "round": nil, "model_sees_clear": false}}},
	} {
		var p app.PolicyPreview
		if a := admin.call(http.MethodPost, "/api/v1/policies/preview", obj{"base": v.Version, "cells": cells}); a.status != http.StatusOK {
			t.Fatalf("preview: %d %.300s", a.status, a.body)
		} else {
			a.into(t, &p)
		}
		if len(p.Changes) == 0 {
			t.Fatalf("%v changes nothing", cells)
		}
		type asked struct {
			app.PolicyEffect
			before bool
		}
		var list []asked
		context := func(e app.PolicyExample) obj {
			return obj{"purpose": e.Purpose, "data_class": e.DataClass, "method": e.Method, "auth": "password"}
		}
		for _, x := range p.Changes {
			if x.Gained+x.Lost+x.Obligations == 0 || x.Contexts < x.Gained+x.Lost+x.Obligations {
				t.Errorf("%+v does not add up", x)
			}
			list = append(list, asked{x, decide(t, admin, x.Role, x.Action, x.Example.Object, context(x.Example))})
		}
		a := admin.call(http.MethodPost, "/api/v1/policies", obj{"base": v.Version, "cells": cells, "reason": "to see what happens"})
		if a.status != http.StatusCreated {
			t.Fatalf("change: %d %.300s", a.status, a.body)
		}
		a.into(t, &v)
		for _, x := range list {
			after := decide(t, admin, x.Role, x.Action, x.Example.Object, context(x.Example))
			if changed := x.before != after; changed != (x.Direction != policy.Duties) || x.Direction == policy.Gains && !after || x.Direction == policy.Loses && after {
				t.Errorf("the preview said %+v; before %v, after %v", x.PolicyEffect, x.before, after)
			}
		}
	}
}

func TestPreviewReplaysThePast(t *testing.T) {
	admin, analyst := program(t, policy.Admin), program(t, policy.Analyst)
	v := inForce(t, admin)
	const n = 3
	begin := time.Now().Truncate(time.Millisecond)
	for range n {
		if a := analyst.call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "Fine.", "purpose": "research"}); a.status != http.StatusCreated {
			t.Fatalf("predict: %d %.300s", a.status, a.body)
		}
	}
	var p app.PolicyPreview
	own := 0
	for end := time.Now().Add(5 * time.Second); own < n && time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // entries get their number within seconds
		p, own = app.PolicyPreview{}, 0
		admin.call(http.MethodPost, "/api/v1/policies/preview", obj{"base": v.Version, "cells": []obj{{"role": "analyst", "action": "predict", "effect": "deny"}}}).into(t, &p)
		for _, r := range p.Replay.Rows {
			if r.Actor == analyst.id && r.Purpose == "research" && !r.Time.Before(begin) {
				own++
				if r.Before != policy.EffectAllow || r.After != policy.EffectDeny || r.Action != "predict" {
					t.Errorf("row %+v", r)
				}
			}
		}
	}
	if own != n || p.Replay.Changed < n || p.Replay.Decisions < p.Replay.Changed || p.Replay.Since == nil {
		t.Errorf("%d of %d predictions would change: %+v", own, n, p.Replay)
	}
	if a := analyst.call(http.MethodPost, "/api/v1/policies/preview", obj{"base": v.Version, "cells": []obj{{"role": "analyst", "action": "predict", "effect": "deny"}}}); a.status != http.StatusForbidden {
		t.Errorf("an analyst previews: %d", a.status)
	}
}

func TestPolicyFileGoesRound(t *testing.T) {
	admin := program(t, policy.Admin)
	v := inForce(t, admin)
	file := admin.call(http.MethodGet, "/api/v1/policies/file", nil)
	if file.status != http.StatusOK || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") {
		t.Fatalf("file: %d %s", file.status, file.header)
	}
	put := func(csv string) answer {
		return admin.call(http.MethodPut, "/api/v1/policies/file", obj{"base": v.Version, "csv": csv, "reason": "from a file"})
	}
	if a := put(string(file.body)); a.status != http.StatusConflict {
		t.Errorf("the same file again: %d %.300s", a.status, a.body)
	}
	if a := put("p, nobody"); a.status == http.StatusCreated || !strings.Contains(a.problem(t).Detail, "line 1") {
		t.Errorf("a broken file: %d %.300s", a.status, a.body)
	}
	if a := put("p, role:analyst, w, model:*, predict, , allow"); a.status != http.StatusConflict || !strings.Contains(a.problem(t).Detail, "no role could edit") {
		t.Errorf("a file that locks everybody out: %d %.300s", a.status, a.body)
	}
	a := put(string(file.body) + "p, role:reviewer, elsewhere, audit:*, export, , allow\n")
	if a.status != http.StatusCreated {
		t.Fatalf("a file with one rule more: %d %.300s", a.status, a.body)
	}
	if !decide(t, admin, "reviewer", "export", "audit:any", obj{}) {
		t.Error("the rule of the file is not in force")
	}
}

func TestWhoCanAndWhatCan(t *testing.T) {
	admin, auditor := program(t, policy.Admin), program(t, policy.Auditor)
	var v app.ReachView
	admin.call(http.MethodGet, "/api/v1/policies/who-can?action=export", nil).into(t, &v)
	find := func(v app.ReachView, subject string) *app.ReachedView {
		i := slices.IndexFunc(v.Items, func(x app.ReachedView) bool { return x.Subject == subject })
		if i < 0 {
			return nil
		}
		return &v.Items[i]
	}
	for _, s := range []string{"role:auditor", "role:admin", auditor.id, admin.id} {
		x := find(v, s)
		if x == nil || !x.Always || len(x.Paths) != 1 || x.Paths[0][0] != s {
			t.Errorf("%s is not shown with its way to export: %+v", s, x)
		} else if x.Name == "" && !strings.HasPrefix(s, "role:") {
			t.Errorf("%s has no name for one who manages accounts", s)
		}
	}
	if x := find(v, "role:analyst"); x != nil {
		t.Errorf("analysts cannot export: %+v", x)
	}
	var seen app.ReachView
	auditor.call(http.MethodGet, "/api/v1/policies/who-can?action=export", nil).into(t, &seen)
	if x := find(seen, admin.id); x == nil || x.Name != "" {
		t.Errorf("an auditor sees opaque ids only: %+v", x)
	}
	var what app.ReachView
	admin.call(http.MethodGet, "/api/v1/policies/what-can?subject="+auditor.id, nil).into(t, &what)
	if !slices.ContainsFunc(what.Items, func(x app.ReachedView) bool { return x.Action == policy.Export }) {
		t.Errorf("what an auditor can: %+v", what.Items)
	}
	if a := admin.call(http.MethodGet, "/api/v1/policies/what-can?subject=user:nobody", nil); a.status != http.StatusNotFound {
		t.Errorf("an unknown subject: %d", a.status)
	}
	if a := program(t, policy.Analyst).call(http.MethodGet, "/api/v1/policies/who-can?action=export", nil); a.status != http.StatusForbidden {
		t.Errorf("an analyst asks who can: %d", a.status)
	}
}

func TestAuthZEN(t *testing.T) {
	admin, auditor := program(t, policy.Admin), program(t, policy.Auditor)
	key := strings.TrimPrefix(auditor.id, "key:")
	var one authzenAnswer
	admin.call(http.MethodPost, "/access/v1/evaluation", question("key", key)).into(t, &one)
	if !one.Decision || one.Context.Reason != policy.ReasonAllowed || len(one.Context.Rules) == 0 {
		t.Errorf("an auditor's key may export: %+v", one)
	}
	lie := question("user", "nobody")
	lie["subject"] = obj{"type": "user", "id": "nobody", "properties": obj{"roles": []string{"admin"}}}
	admin.call(http.MethodPost, "/access/v1/evaluation", lie).into(t, &one)
	if one.Decision {
		t.Error("roles in the question count")
	}
	strange := question("key", key)
	strange["context"] = obj{"purpose": 7}
	admin.call(http.MethodPost, "/access/v1/evaluation", strange).into(t, &one)
	if one.Decision || one.Context.Reason != policy.ReasonInvalid {
		t.Errorf("a purpose that is a number: %+v", one)
	}
	yes, no := question("key", key), question("user", "nobody")
	for semantic, want := range map[string][]bool{"execute_all": {true, false, true}, "deny_on_first_deny": {true, false}, "permit_on_first_permit": {true}} {
		var many authzenAnswers
		admin.call(http.MethodPost, "/access/v1/evaluations", obj{"evaluations": []obj{yes, no, yes}, "options": obj{"evaluations_semantic": semantic}}).into(t, &many)
		var got []bool
		for _, a := range many.Evaluations {
			got = append(got, a.Decision)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", semantic, got, want)
		}
	}
	var parts authzenAnswers
	whole := question("key", key)
	whole["evaluations"] = []obj{{}, {"action": obj{"name": "user.manage"}}}
	admin.call(http.MethodPost, "/access/v1/evaluations", whole).into(t, &parts)
	if len(parts.Evaluations) != 2 || !parts.Evaluations[0].Decision || parts.Evaluations[1].Decision {
		t.Errorf("questions that take from the whole: %+v", parts)
	}
	var nothing authzenAnswers
	admin.call(http.MethodPost, "/access/v1/evaluations", obj{"evaluations": []obj{{}, yes}}).into(t, &nothing)
	if len(nothing.Evaluations) != 2 || nothing.Evaluations[0].Decision || nothing.Evaluations[0].Context.Reason != policy.ReasonInvalid || !nothing.Evaluations[1].Decision {
		t.Errorf("a question about nothing beside one about something: %+v", nothing)
	}
}

// person is the API as a signed-in person of the role calls it, with a session.
func person(t *testing.T, role string) func(method, path string, body any) answer {
	t.Helper()
	v := visit(t, role)
	c := program(t, "")
	return func(method, path string, body any) answer {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(method, c.url+path, bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Origin", c.url)
		res, err := v.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		out, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{res.StatusCode, res.Header, out}
	}
}

// as calls without further headers.
func as(c *client) func(method, path string, body any) answer {
	return func(method, path string, body any) answer { return c.call(method, path, body) }
}

// TestSecondPerson turns review on and walks a change through it.
func TestSecondPerson(t *testing.T) {
	admin, analyst := program(t, policy.Admin), program(t, policy.Analyst)
	other, boss := person(t, policy.Auditor), person(t, policy.Admin) // boss made the admin's key
	v := inForce(t, admin)
	t.Cleanup(func() { // before inForce goes back: without review again
		var now app.PolicyView
		admin.call(http.MethodGet, "/api/v1/policies", nil).into(t, &now)
		a := admin.call(http.MethodPost, "/api/v1/policies/rollback", obj{"base": now.Version, "version": v.Version, "reason": "as before the test"})
		var waiting app.PolicyView
		a.into(t, &waiting)
		for _, p := range waiting.Proposals {
			other(http.MethodPost, "/api/v1/policies/proposals/"+p.ID, obj{"verdict": "approve", "reason": "as before the test"})
		}
	})
	post := func(call func(string, string, any) answer, path string, body obj) (app.PolicyView, answer) {
		t.Helper()
		var v app.PolicyView
		a := call(http.MethodPost, path, body)
		if a.status < 300 {
			a.into(t, &v)
		}
		return v, a
	}
	change := func(base int64, effect string, starts any) (app.PolicyView, answer) {
		t.Helper()
		body := obj{"base": base, "cells": []obj{{"role": "analyst", "action": "export", "effect": effect}}, "reason": "a change"}
		if starts != nil {
			body["starts"] = starts
		}
		return post(as(admin), "/api/v1/policies", body)
	}
	if _, a := change(v.Version, "allow", time.Now().Add(time.Hour)); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a later time without review: %d %.300s", a.status, a.body)
	}
	on, a := post(as(admin), "/api/v1/policies", obj{"base": v.Version, "reason": "four eyes", "cells": []obj{{"role": "admin", "action": "policy.edit", "effect": "allow",
		"obligations": obj{"mask": []string{}, "explanation_level": "", "methods": []string{}, "forbid_methods": []string{}, "round": nil, "model_sees_clear": false, "review": true}},
		{"role": "auditor", "action": "policy.approve", "effect": "allow"}}})
	if a.status != http.StatusCreated {
		t.Fatalf("review on: %d %.300s", a.status, a.body)
	}

	waiting, a := change(on.Version, "allow", nil)
	if a.status != http.StatusCreated || waiting.Version != on.Version || len(waiting.Proposals) != 1 {
		t.Fatalf("a change under review: %d %.300s", a.status, a.body)
	}
	p := waiting.Proposals[0]
	path := "/api/v1/policies/proposals/" + p.ID
	if decide(t, admin, "analyst", "export", "audit:any", obj{}) {
		t.Error("a proposal is in force")
	}
	var shown proposalReply
	other(http.MethodGet, path, nil).into(t, &shown)
	if shown.State != "open" || shown.Author != admin.id || len(shown.Preview.Changes) != 1 || shown.Preview.Changes[0].Role != "analyst" {
		t.Errorf("the second person sees %+v", shown)
	}
	if _, a := post(as(admin), path, obj{"verdict": "approve", "reason": "my own"}); a.status != http.StatusConflict || !strings.Contains(a.problem(t).Detail, "second person") {
		t.Errorf("self-approval: %d %.300s", a.status, a.body)
	}
	if _, a := post(boss, path, obj{"verdict": "approve", "reason": "my key's"}); a.status != http.StatusConflict {
		t.Errorf("approval by who made the key of the author: %d %.300s", a.status, a.body)
	}
	if _, a := post(other, path, obj{"verdict": "reject", "reason": ""}); a.status < 400 {
		t.Errorf("no reason: %d", a.status)
	}
	if _, a := post(other, path, obj{"verdict": "withdraw", "reason": "not mine"}); a.status != http.StatusForbidden {
		t.Errorf("withdrawing another's change: %d %.300s", a.status, a.body)
	}
	if _, a := post(as(analyst), path, obj{"verdict": "approve", "reason": "please"}); a.status != http.StatusForbidden {
		t.Errorf("an analyst approves: %d", a.status)
	}
	done, a := post(other, path, obj{"verdict": "approve", "reason": "looks right"})
	if a.status != http.StatusOK || done.Version != on.Version+1 || done.Author != admin.id || len(done.Proposals) != 0 {
		t.Fatalf("approval: %d %.300s", a.status, a.body)
	}
	if !decide(t, admin, "analyst", "export", "audit:any", obj{}) {
		t.Error("an approved change is not in force")
	}
	if _, a := post(other, path, obj{"verdict": "approve", "reason": "again"}); a.status != http.StatusConflict {
		t.Errorf("a replayed approval: %d %.300s", a.status, a.body)
	}

	// Two proposals for one version: the second to be approved is too late.
	change(done.Version, "none", nil)
	two, _ := change(done.Version, "deny", nil)
	if len(two.Proposals) != 2 {
		t.Fatalf("two wait: %+v", two.Proposals)
	}
	third, a := post(other, "/api/v1/policies/proposals/"+two.Proposals[0].ID, obj{"verdict": "approve", "reason": "this one"})
	if a.status != http.StatusOK {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	if _, a := post(other, "/api/v1/policies/proposals/"+two.Proposals[1].ID, obj{"verdict": "approve", "reason": "and that one"}); a.status != http.StatusConflict {
		t.Errorf("a proposal for a version that is no longer in force: %d %.300s", a.status, a.body)
	}
	if _, a := post(other, "/api/v1/policies/proposals/"+two.Proposals[1].ID, obj{"verdict": "reject", "reason": "too late"}); a.status != http.StatusOK {
		t.Errorf("rejecting it: %d %.300s", a.status, a.body)
	}

	// A change for later waits, and is withdrawn by nobody once it is approved.
	later, _ := change(third.Version, "allow", time.Now().Add(time.Hour))
	if len(later.Proposals) != 1 {
		t.Fatalf("one waits: %+v", later.Proposals)
	}
	path = "/api/v1/policies/proposals/" + later.Proposals[0].ID
	if w, a := post(other, path, obj{"verdict": "approve", "reason": "on Monday"}); a.status != http.StatusOK || w.Version != third.Version || len(w.Proposals) != 1 || w.Proposals[0].State != "approved" {
		t.Errorf("approval for later: %d %.300s", a.status, a.body)
	}
	seen := map[string]int{}
	for end := time.Now().Add(5 * time.Second); seen["POLICY.APPROVED.OK"] < 3 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var log app.EventList
		admin.call(http.MethodGet, "/api/v1/audit/events?kind=POLICY&limit=50", nil).into(t, &log)
		clear(seen)
		for _, e := range log.Items {
			seen[e.Code]++
		}
	}
	for code, n := range map[string]int{"POLICY.PROPOSED.OK": 4, "POLICY.APPROVED.OK": 3, "POLICY.REJECTED.OK": 1} {
		if seen[code] != n {
			t.Errorf("%d entries %s, want %d", seen[code], code, n)
		}
	}
}
