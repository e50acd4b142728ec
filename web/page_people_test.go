package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"vitrine/web/app"
)

// TestInvitationWalk: an administrator invites somebody, who chooses a password under the
// link, once; roles are set, the account is closed.
func TestInvitationWalk(t *testing.T) {
	n := install(t)
	v := n.ada()
	if status, doc := v.post("/people", url.Values{"name": {"ben"}}); status != http.StatusUnprocessableEntity || doc.Find("[role=alert]").Length() != 1 || doc.Find("#name").AttrOr("value", "") != "ben" {
		t.Errorf("without a role: status %d %.200s", status, clean(doc.Find("main")))
	}
	status, doc := v.post("/people", url.Values{"name": {"ben"}, "role": {"analyst", "auditor"}})
	link := clean(doc.Find(".note pre"))
	if status != 200 || !strings.HasPrefix(link, n.base+"/invitation?token=") {
		t.Fatalf("status %d, link %q", status, link)
	}
	if _, doc := v.get("/people"); strings.Contains(doc.Text(), link) {
		t.Error("the link is shown again")
	}
	path := strings.TrimPrefix(link, n.base)
	token := path[strings.Index(path, "=")+1:]
	ben := n.browser()
	if status, doc := ben.get(path); status != 200 || !strings.Contains(clean(doc.Selection), "ben") {
		t.Errorf("status %d", status)
	}
	if status, doc := ben.get(path + "x"); status != http.StatusForbidden || doc.Find("form[action='/invitation']").Length() != 0 {
		t.Errorf("a wrong link: status %d", status)
	}
	if status, doc := ben.post("/invitation", url.Values{"token": {token}, "password": {"short"}}); status != http.StatusUnprocessableEntity || doc.Find("#signin-error").Length() != 1 {
		t.Errorf("a weak password: status %d", status)
	}
	password := "words that only ben would put in a row"
	if status, doc := ben.post("/invitation", url.Values{"token": {token}, "password": {password}}); status != 200 || doc.Url.Path != "/signin" {
		t.Errorf("status %d on %s", status, doc.Url.Path)
	}
	if status, _ := ben.post("/invitation", url.Values{"token": {token}, "password": {"words of somebody else, in a row"}}); status != http.StatusForbidden {
		t.Errorf("the link worked twice: status %d", status)
	}
	signIn := url.Values{"name": {"Ben"}, "password": {password}, "next": {"/audit"}}
	if status, doc := ben.post("/signin", signIn); status != 200 || doc.Url.Path != "/audit" {
		t.Fatalf("status %d on %s", status, doc.Url.Path)
	}
	if status, _ := ben.get("/people"); status != http.StatusForbidden {
		t.Errorf("an auditor opens the accounts: status %d", status)
	}
	_, doc = v.get("/people")
	id := ""
	doc.Find("a[href^='/people?user=']").Each(func(_ int, s *goquery.Selection) {
		if clean(s) == "ben" {
			id = strings.TrimSuffix(strings.TrimPrefix(s.AttrOr("href", ""), "/people?user="), "#edit")
		}
	})
	for _, do := range []string{"roles", "authenticator-removed", "sessions-ended", "invite", "disabled", "grant"} {
		if status, _ := ben.post("/people/change", url.Values{"id": {id}, "do": {do}, "role": {"admin"}}); do != "grant" && status != http.StatusForbidden || status < 400 {
			t.Errorf("ben does %s to himself: status %d", do, status)
		}
	}
	if status, doc := v.post("/people/change", url.Values{"id": {id}, "do": {"roles"}, "role": {"reviewer"}}); status != 200 || doc.Url.RawQuery != "done=roles" {
		t.Errorf("status %d on %s", status, doc.Url)
	}
	if _, doc := ben.get("/audit"); doc.Url.Path != "/signin" {
		t.Errorf("the session outlived the roles: %s", doc.Url.Path)
	}
	status, doc = v.post("/people/change", url.Values{"id": {id}, "do": {"invite"}})
	if status != 200 || doc.Find(".note pre").Length() != 1 {
		t.Errorf("a new link: status %d", status)
	}
	again := strings.TrimPrefix(clean(doc.Find(".note pre")), n.base)
	if status, _ := ben.get(again); status != 200 {
		t.Errorf("the new link: status %d", status)
	}
	if status, doc := v.post("/people/change", url.Values{"id": {id}, "do": {"disabled"}}); status != 200 || doc.Url.RawQuery != "done=disabled" {
		t.Errorf("status %d on %s", status, doc.Url)
	}
	if status, _ := ben.post("/signin", signIn); status != http.StatusUnauthorized {
		t.Errorf("a closed account: status %d", status)
	}
	if status, _ := ben.get(again); status != http.StatusForbidden {
		t.Errorf("the link of a closed account: status %d", status)
	}
	own := ""
	_, doc = v.get("/people")
	doc.Find("a[href^='/people?user=']").Each(func(_ int, s *goquery.Selection) {
		own = strings.TrimSuffix(strings.TrimPrefix(s.AttrOr("href", ""), "/people?user="), "#edit")
	})
	if status, doc := v.post("/people/change", url.Values{"id": {own}, "do": {"disabled"}}); status != http.StatusConflict || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("the last administrator: status %d %.200s", status, clean(doc.Find("main")))
	}
	events, err := n.app.AuditEvents(context.Background(), n.app.Local(), app.EventQuery{Kind: "USER.CHANGED"})
	if err != nil || events.Total < 3 {
		t.Errorf("%v %v", events, err)
	}
}

// TestKeysOnThePage: a key is shown once, works, and stops.
func TestKeysOnThePage(t *testing.T) {
	n := install(t)
	v := n.ada()
	for _, days := range []string{"0", "x", "4000"} {
		if status, _ := v.post("/people/keys", url.Values{"name": {"ci"}, "role": {"auditor"}, "days": {days}}); status < 400 || status >= 500 {
			t.Errorf("%s days: status %d", days, status)
		}
	}
	status, doc := v.post("/people/keys", url.Values{"name": {"ci"}, "role": {"auditor"}, "days": {"30"}})
	key := clean(doc.Find(".note pre"))
	if status != 200 || !strings.HasPrefix(key, "vk_") {
		t.Fatalf("status %d %q", status, key)
	}
	call := func() int {
		r, err := http.NewRequest(http.MethodGet, n.base+"/api/v1/audit/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := call(); got != http.StatusOK {
		t.Errorf("with the key: %d", got)
	}
	_, doc = v.get("/people")
	if strings.Contains(doc.Text(), key) {
		t.Error("the key is shown again")
	}
	id := doc.Find("form[action='/people/keys/disable'] button").AttrOr("value", "")
	if status, _ := v.post("/people/keys/disable", url.Values{"id": {id}}); status != 200 {
		t.Errorf("status %d", status)
	}
	if got := call(); got != http.StatusUnauthorized {
		t.Errorf("after it was disabled: %d", got)
	}
}
