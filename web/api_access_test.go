package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"vitrine/policy"
	"vitrine/web/app"
)

// samples is one request for each route of the API that reaches the policy's
// decision and changes as little as possible. A new route without one fails.
func samples(t *testing.T) map[string]struct {
	path string
	body any
} {
	admin := program(t, policy.Admin)
	var p app.PredictionView
	admin.call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "Fine.", "explain": obj{"method": "saliency"}}).into(t, &p)
	var e app.ExportView
	admin.call(http.MethodPost, "/api/v1/exports", obj{"format": "jsonl"}).into(t, &e)
	prediction, export := "/api/v1/predictions/"+p.ID, "/api/v1/exports/"+e.ID
	return map[string]struct {
		path string
		body any
	}{
		"GET /api/openapi.json":                     {path: "/api/openapi.json"},
		"GET /healthz":                              {path: "/healthz"},
		"GET /api/v1/users":                         {path: "/api/v1/users"},
		"POST /api/v1/users":                        {"/api/v1/users", obj{"name": "Demo analyst", "password": "a long sentence, and no name", "roles": []string{"analyst"}}},
		"DELETE /api/v1/users/:name":                {path: "/api/v1/users/nobody"},
		"GET /api/v1/keys":                          {path: "/api/v1/keys"},
		"POST /api/v1/keys":                         {"/api/v1/keys", obj{"name": "late", "roles": []string{"analyst"}, "expires": "2020-01-01T00:00:00Z"}},
		"DELETE /api/v1/keys/:id":                   {path: "/api/v1/keys/key:nobody"},
		"GET /api/v1/quotas":                        {path: "/api/v1/quotas"},
		"PUT /api/v1/quotas":                        {"/api/v1/quotas", obj{"kind": "key", "object": "key:nobody", "per_minute": 0, "per_day": 0}},
		"GET /api/v1/audit/events":                  {path: "/api/v1/audit/events?limit=1"},
		"GET /api/v1/audit/events/:index":           {path: "/api/v1/audit/events/0"},
		"GET /api/v1/audit/receipts/:event":         {path: "/api/v1/audit/receipts/" + p.Receipt.Event},
		"POST /api/v1/audit/verify":                 {path: "/api/v1/audit/verify"},
		"GET /api/v1/audit/checkpoints":             {path: "/api/v1/audit/checkpoints?limit=1"},
		"GET /api/v1/audit/consistency":             {path: "/api/v1/audit/consistency?from=1"},
		"POST /api/v1/audit/key":                    {path: "/api/v1/audit/key"},
		"GET /log/:log/*":                           {path: "/log/" + p.Receipt.Log + "/checkpoint"},
		"POST /api/v1/backups":                      {"/api/v1/backups", obj{"content": "database"}},
		"POST /api/v1/exports":                      {"/api/v1/exports", obj{"format": "csv"}},
		"GET /api/v1/exports":                       {path: "/api/v1/exports"},
		"GET /api/v1/exports/:id":                   {path: export},
		"GET /api/v1/exports/:id/file":              {path: export + "/file"},
		"DELETE /api/v1/exports/:id":                {path: export},
		"POST /hf/models/*":                         {"/hf/models/sentiment-minilm", obj{"inputs": "Fine."}},
		"POST /api/v1/generations":                  {"/api/v1/generations", obj{"model": "sentiment-minilm", "text": "Fine."}},
		"GET /v1/models":                            {path: "/v1/models"},
		"GET /v1/models/*":                          {path: "/v1/models/sentiment-minilm"},
		"POST /v1/chat/completions":                 {"/v1/chat/completions", obj{"model": "sentiment-minilm", "messages": []obj{{"role": "user", "content": "Fine."}}}},
		"POST /v1/completions":                      {"/v1/completions", obj{"model": "sentiment-minilm", "prompt": "Fine."}},
		"POST /v1/embeddings":                       {"/v1/embeddings", obj{"model": "sentiment-minilm", "input": "Fine."}},
		"POST /tokenize":                            {"/tokenize", obj{"model": "sentiment-minilm", "prompt": "Fine."}},
		"POST /detokenize":                          {"/detokenize", obj{"model": "sentiment-minilm", "tokens": []int{100}}},
		"GET /tokenizer_info":                       {path: "/tokenizer_info?model=sentiment-minilm"},
		"GET /api/v1/models":                        {path: "/api/v1/models"},
		"POST /api/v1/models":                       {"/api/v1/models", obj{"folder": "nowhere"}},
		"POST /api/v1/models/imports":               {"/api/v1/models/imports", obj{"source": "nowhere.zip"}},
		"GET /api/v1/models/:name":                  {path: "/api/v1/models/digits-resnet"},
		"GET /api/v1/models/:name/methods":          {path: "/api/v1/models/digits-resnet/methods"},
		"GET /api/v1/models/:name/stops":            {path: "/api/v1/models/digits-resnet/stops"},
		"POST /api/v1/models/:name/stop":            {"/api/v1/models/nobody/stop", obj{"reason": "a test"}},
		"POST /api/v1/models/:name/start":           {"/api/v1/models/digits-resnet/start", obj{"reason": "a test"}},
		"POST /api/v1/predictions/:id/reviews":      {prediction + "/reviews", obj{"reason": "a test"}},
		"GET /api/v1/reviews":                       {path: "/api/v1/reviews?limit=1"},
		"GET /api/v1/reviews/:id":                   {path: "/api/v1/reviews/01JD0000000000000000000000"},
		"POST /api/v1/reviews/:id":                  {"/api/v1/reviews/01JD0000000000000000000000", obj{"verdict": "confirm", "reason": "a test"}},
		"POST /api/v1/reviews/:id/start":            {path: "/api/v1/reviews/01JD0000000000000000000000/start"},
		"GET /api/v1/reports/letter":                {path: "/api/v1/reports/letter?subject=" + p.ID},
		"GET /api/v1/reports/trail":                 {path: "/api/v1/reports/trail?after=2100-01-01"},
		"GET /api/v1/reports/technical":             {path: "/api/v1/reports/technical?subject=digits-resnet"},
		"GET /api/v1/reports/incident":              {path: "/api/v1/reports/incident?after=2100-01-01"},
		"GET /api/v1/policies":                      {path: "/api/v1/policies"},
		"POST /api/v1/policies":                     {"/api/v1/policies", obj{"base": 99999, "reason": "a test", "cells": []obj{{"role": "analyst", "action": "export", "effect": "allow"}}}},
		"POST /api/v1/policies/preview":             {"/api/v1/policies/preview", obj{"base": 99999, "cells": []obj{{"role": "analyst", "action": "export", "effect": "allow"}}}},
		"POST /api/v1/policies/rollback":            {"/api/v1/policies/rollback", obj{"base": 99999, "version": 1, "reason": "a test"}},
		"GET /api/v1/policies/proposals/:id":        {path: "/api/v1/policies/proposals/01JD0000000000000000000000"},
		"POST /api/v1/policies/proposals/:id":       {"/api/v1/policies/proposals/01JD0000000000000000000000", obj{"verdict": "approve", "reason": "a test"}},
		"GET /api/v1/policies/file":                 {path: "/api/v1/policies/file"},
		"PUT /api/v1/policies/file":                 {"/api/v1/policies/file", obj{"base": 99999, "csv": "#", "reason": "a test"}},
		"GET /api/v1/policies/who-can":              {path: "/api/v1/policies/who-can?action=export"},
		"GET /api/v1/policies/what-can":             {path: "/api/v1/policies/what-can?subject=role:admin"},
		"GET /.well-known/authzen-configuration":    {path: "/.well-known/authzen-configuration"},
		"POST /access/v1/evaluation":                {"/access/v1/evaluation", question("user", "nobody")},
		"POST /access/v1/evaluations":               {"/access/v1/evaluations", obj{"evaluations": []obj{question("user", "nobody")}}},
		"POST /api/v1/predictions":                  {"/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "Fine."}},
		"GET /api/v1/predictions":                   {path: "/api/v1/predictions?limit=1"},
		"GET /api/v1/predictions/:id":               {path: prediction},
		"GET /api/v1/predictions/:id/comparison":    {path: prediction + "/comparison"},
		"GET /api/v1/predictions/:id/image":         {path: prediction + "/image"},
		"POST /api/v1/predictions/:id/explanations": {prediction + "/explanations", obj{"method": "saliency"}},
		"POST /api/v1/predictions/:id/reveal":       {prediction + "/reveal", obj{"reason": "a test"}},
		"POST /api/v1/predictions/:id/jobs":         {prediction + "/jobs", obj{"method": "saliency"}},
		"POST /api/v1/explanations/:id/replay":      {path: "/api/v1/explanations/" + p.Explanation.ID + "/replay"},
		"GET /api/v1/models/:name/checks":           {path: "/api/v1/models/digits-resnet/checks"},
		"POST /api/v1/models/:name/checks":          {"/api/v1/models/digits-resnet/checks", obj{"method": "chefer"}},
		"POST /api/v1/batches":                      {"/api/v1/batches", obj{"model": "sentiment-minilm", "format": "csv", "data": "dGV4dApGaW5lLgo="}},
		"GET /api/v1/jobs":                          {path: "/api/v1/jobs?limit=1"},
		"GET /api/v1/jobs/:id":                      {path: "/api/v1/jobs/01JD0000000000000000000000"},
		"GET /api/v1/jobs/:id/result":               {path: "/api/v1/jobs/01JD0000000000000000000000/result"},
		"DELETE /api/v1/jobs/:id":                   {path: "/api/v1/jobs/01JD0000000000000000000000"},
		"GET /api/v1/explanations/:id":              {path: "/api/v1/explanations/" + p.Explanation.ID},
		"POST /api/v1/preview":                      {"/api/v1/preview", obj{"model": "sentiment-minilm", "text": "Fine."}},
	}
}

// shippedAllows derives who may do what from the shipped policy itself.
func shippedAllows(t *testing.T) func(role string, a policy.Action) bool {
	rules, groups := policy.Default("w")
	s, err := policy.Compile(1, rules, groups)
	if err != nil {
		t.Fatal(err)
	}
	return func(role string, a policy.Action) bool {
		return s.Decide(policy.Request{Workspace: "w", Subject: policy.Subject{ID: "key:x", Roles: []string{role}}, Action: a, Object: a.Object("x")}).Allow
	}
}

// TestEveryRouteByRole: route × role → refused or not, as the policy decides;
// every refusal is in the log.
func TestEveryRouteByRole(t *testing.T) {
	requests, allows := samples(t), shippedAllows(t)
	for _, role := range policy.Roles {
		c := program(t, role)
		before := c.logged("&decision=deny", 0).Total
		refused := 0
		for _, r := range sortedRoutes() {
			if r.doc == nil {
				continue
			}
			q, ok := requests[r.method+" "+r.path]
			if !ok {
				t.Errorf("no sample request for %s %s", r.method, r.path)
				continue
			}
			a := c.call(r.method, q.path, q.body)
			if a.status == http.StatusUnauthorized || a.status >= 500 {
				t.Errorf("%s: %s %s: status %d %s", role, r.method, q.path, a.status, a.body)
			}
			if r.access == Public || r.access == SignedIn {
				if a.status == http.StatusForbidden { // somebody else's receipt
					refused++
				}
				continue
			}
			want := !allows(role, r.access)
			if got := a.status == http.StatusForbidden; got != want {
				t.Errorf("%s: %s %s: status %d, refused should be %v: %.300s", role, r.method, q.path, a.status, want, a.body)
			}
			if want {
				refused++
			}
			if want && !strings.HasPrefix(r.path, "/hf/") {
				if p := a.problem(t); p.Code != "policy_denied" || p.Decision == nil || p.Receipt == nil || p.Hint == "" {
					t.Errorf("%s: %s %s: the refusal does not explain itself: %s", role, r.method, q.path, a.body)
				}
			}
		}
		if list := c.logged("&decision=deny", int(before)+refused); list.Total != before+int64(refused) {
			t.Errorf("%s was refused %d times, the log gained %d entries", role, refused, list.Total-before)
		}
	}
}

// TestEveryRouteWantsSomebody: without a key or session only public routes answer.
func TestEveryRouteWantsSomebody(t *testing.T) {
	guest := program(t, "")
	param := regexp.MustCompile(`:\w+|\*`)
	for _, r := range sortedRoutes() {
		a := guest.call(r.method, param.ReplaceAllString(r.path, "x"), nil, "Origin", guest.url)
		refused := a.status == http.StatusUnauthorized || a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/signin")
		if refused == (r.access == Public) && !(r.access == Public && (strings.HasPrefix(r.path, "/signin") || r.path == "/demo" || r.path == "/setup")) {
			t.Errorf("%s %s (%s): status %d", r.method, r.path, r.access, a.status)
		}
	}
}
