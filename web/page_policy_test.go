package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"vitrine/policy"
	"vitrine/web/app"
)

// TestProposalPages walks a change through the pages of two people.
func TestProposalPages(t *testing.T) {
	program := program(t, policy.Admin)
	v := inForce(t, program)
	admin, auditor := visit(t, policy.Admin), visit(t, policy.Auditor)
	form := func(base int64, role, action, effect string, more ...string) url.Values {
		f := url.Values{"base": {strconv.FormatInt(base, 10)}, "role": {role}, "action": {action}, "effect": {effect}, "reason": {"because"}}
		for i := 0; i+1 < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	if status, doc := admin.post("/policies", form(v.Version, "auditor", "policy.approve", "allow", "preview", "1")); status != http.StatusOK || doc.Find("#preview ul.checks .st.ok").Length() != 1 {
		t.Fatalf("preview: status %d, %.200s", status, doc.Find("#edit").Text())
	}
	admin.post("/policies", form(v.Version, "auditor", "policy.approve", "allow"))
	if _, doc := admin.post("/policies", form(v.Version+1, "admin", "policy.edit", "allow", "review", "1")); doc.Find(".note.is-ok").Length() != 1 {
		t.Fatalf("review on: %.300s", doc.Find("main").Text())
	}
	defer func() { // whoever edits waits: the auditor lets it go back
		admin.post("/policies/rollback", url.Values{"base": {strconv.FormatInt(v.Version+3, 10)}, "version": {strconv.FormatInt(v.Version, 10)}, "reason": {"as before"}})
		var now app.PolicyView
		program.call(http.MethodGet, "/api/v1/policies", nil).into(t, &now)
		for _, p := range now.Proposals {
			auditor.post("/policies/proposals", url.Values{"id": {p.ID}, "verdict": {"approve"}, "reason": {"as before"}})
		}
	}()
	_, doc := admin.post("/policies", form(v.Version+2, "analyst", "export", "allow"))
	link, _ := doc.Find("[aria-labelledby=waiting] a").Attr("href")
	if !strings.Contains(doc.Url.RawQuery, "proposed") || link == "" {
		t.Fatalf("a change under review: %s %.300s", doc.Url, doc.Find("main").Text())
	}
	buttons := func(v *visitor) string {
		_, doc := v.get(strings.TrimSuffix(link, "#edit"))
		if doc.Find("#preview ul.checks .st.ok").Length() != 1 {
			t.Errorf("no preview of the change: %.300s", doc.Find("#edit").Text())
		}
		var out []string
		for _, b := range doc.Find("#edit button").EachIter() {
			out = append(out, b.AttrOr("value", ""))
		}
		return strings.Join(out, " ")
	}
	if own, other := buttons(admin), buttons(auditor); own != "withdraw" || other != "approve reject" {
		t.Errorf("the author sees %q, the second person %q", own, other)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	decision := url.Values{"id": {u.Query().Get("proposal")}, "verdict": {"approve"}, "reason": {"looks right"}}
	if status, doc := admin.post("/policies/proposals", decision); status != http.StatusConflict || doc.Find(".note.is-bad").Length() != 1 {
		t.Errorf("self-approval: status %d %.200s", status, doc.Find("main").Text())
	}
	if status, doc := auditor.post("/policies/proposals", decision); status != http.StatusOK || doc.Find("[aria-labelledby=waiting] a[href*='"+decision.Get("id")+"']").Length() != 0 {
		t.Errorf("approval: status %d %.200s", status, doc.Find("main").Text())
	}
	if !decide(t, program, "analyst", "export", "audit:any", obj{}) {
		t.Error("the approved change is not in force")
	}
}
