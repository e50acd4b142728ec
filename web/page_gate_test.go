package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"vitrine/policy"
)

// TestGatePages sets a gate in the matrix, sees it said, and sees it work.
func TestGatePages(t *testing.T) {
	v := inForce(t, program(t, policy.Admin))
	admin, owner := visit(t, policy.Admin), visit(t, policy.ModelOwner)
	form := url.Values{"base": {strconv.FormatInt(v.Version, 10)}, "role": {policy.ModelOwner}, "action": {"explain"}, "effect": {"allow"}, "reason": {"figures count"}, "mask": {"email"},
		"gate": {"withhold"}, "gate-better": {"comprehensiveness"}, "gate-p": {"0.000001"}}
	preview := url.Values{"preview": {"1"}}
	for k, x := range form {
		preview[k] = x
	}
	if status, doc := admin.post("/policies", preview); status != http.StatusOK || !strings.Contains(clean(doc.Find("#preview")), "explain an answer") || doc.Find("#gate option[selected]").AttrOr("value", "") != "withhold" {
		t.Fatalf("preview of a gate: %d %.500s", status, clean(doc.Find("#preview")))
	}
	if status, doc := admin.post("/policies", url.Values{"base": form["base"], "role": form["role"], "action": form["action"], "effect": form["effect"], "reason": form["reason"],
		"gate": {"warn"}, "gate-gap": {"a lot"}}); status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		t.Fatalf("a limit that is no number: %d %.300s", status, clean(doc.Find("#edit")))
	}
	_, doc := admin.post("/policies", form)
	if !strings.Contains(clean(doc.Find("main")), "gate: withhold it") {
		t.Fatalf("the gate is not said: %.600s", clean(doc.Find("main")))
	}
	defer admin.post("/policies/rollback", url.Values{"base": {strconv.FormatInt(v.Version+1, 10)}, "version": {strconv.FormatInt(v.Version, 10)}, "reason": {"as before"}})
	status, doc := owner.post("/predictions", url.Values{"kind": {"text"}, "model": {"sentiment-minilm"}, "purpose": {"research"}, "text": {"A fine film."}, "method": {"saliency"}})
	if status != http.StatusOK || !strings.Contains(clean(doc.Find(".note")), "falls short") || doc.Find(".toks .tok").Length() > 0 {
		t.Fatalf("an explanation that falls short: %d %.500s", status, clean(doc.Find("main")))
	}
}
