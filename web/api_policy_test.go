package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

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
			if a := admin.call(http.MethodPost, "/api/v1/policies/rollback", obj{"base": now.Version, "version": first, "reason": "as before the test"}); a.status != http.StatusCreated {
				t.Errorf("rollback: %d %s", a.status, a.body)
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
		t.Fatalf("evaluation: %d %s", a.status, a.body)
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
			t.Fatalf("preview: %d %s", a.status, a.body)
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
			t.Fatalf("change: %d %s", a.status, a.body)
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
	for range n {
		if a := analyst.call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "Fine.", "purpose": "research"}); a.status != http.StatusCreated {
			t.Fatalf("predict: %d %s", a.status, a.body)
		}
	}
	admin.call(http.MethodPost, "/api/v1/audit/verify", nil) // sequences what is pending
	var p app.PolicyPreview
	admin.call(http.MethodPost, "/api/v1/policies/preview", obj{"base": v.Version, "cells": []obj{{"role": "analyst", "action": "predict", "effect": "deny"}}}).into(t, &p)
	own := 0
	for _, r := range p.Replay.Rows {
		if r.Actor == analyst.id {
			own++
			if r.Before != policy.EffectAllow || r.After != policy.EffectDeny || r.Action != "predict" || r.Purpose != "research" {
				t.Errorf("row %+v", r)
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
		t.Errorf("the same file again: %d %s", a.status, a.body)
	}
	if a := put("p, nobody"); a.status == http.StatusCreated || !strings.Contains(a.problem(t).Detail, "line 1") {
		t.Errorf("a broken file: %d %s", a.status, a.body)
	}
	if a := put("p, role:analyst, w, model:*, predict, , allow"); a.status != http.StatusConflict || !strings.Contains(a.problem(t).Detail, "no role could edit") {
		t.Errorf("a file that locks everybody out: %d %s", a.status, a.body)
	}
	a := put(string(file.body) + "p, role:reviewer, elsewhere, audit:*, export, , allow\n")
	if a.status != http.StatusCreated {
		t.Fatalf("a file with one rule more: %d %s", a.status, a.body)
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
	if a := admin.call(http.MethodPost, "/access/v1/evaluations", obj{"evaluations": []obj{{}}}); a.status != http.StatusBadRequest {
		t.Errorf("a question about nothing: %d", a.status)
	}
}
