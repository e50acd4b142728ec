package web

import (
	"context"
	"net/http"
	"net/url"
	"testing"
)

// TestSetupThenPassword walks the first start of a real installation: the
// one-time link, the first administrator, sign-out, sign-in by password, and
// the link dead afterwards.
func TestSetupThenPassword(t *testing.T) {
	n := install(t)
	v := n.browser()
	token, err := n.app.SetupToken(context.Background())
	if err != nil || token == "" {
		t.Fatalf("no link: %v", err)
	}
	if status, doc := v.get("/setup?token=wrong"); status != http.StatusForbidden || doc.Find("form").Length() != 0 {
		t.Errorf("a wrong link: status %d", status)
	}
	form := url.Values{"token": {token}, "name": {"ada"}, "password": {"short"}}
	if status, doc := v.post("/setup", form); status != http.StatusUnprocessableEntity || doc.Find("#name").AttrOr("value", "") != "ada" {
		t.Errorf("a short password: status %d, %.200s", status, clean(doc.Selection))
	}
	form.Set("password", "a sentence of many words, said once")
	if status, doc := v.post("/setup", form); status != 200 || doc.Find("body").AttrOr("data-role", "") != "admin" {
		t.Fatalf("setup: status %d, %.300s", status, clean(doc.Selection))
	}
	if status, doc := v.post("/signout", nil); status != 200 || doc.Url.Path != "/signin" {
		t.Errorf("sign-out: status %d on %s", status, doc.Url.Path)
	}
	if status, _ := v.get("/setup?token=" + token); status != http.StatusForbidden {
		t.Errorf("the link again: status %d", status)
	}
	if status, _ := v.get("/demo?token=" + token); status != http.StatusNotFound {
		t.Errorf("a demo link outside the demo: status %d", status)
	}
	status, doc := v.post("/signin", url.Values{"name": {"ada"}, "password": {form.Get("password")}, "next": {"/audit"}})
	if status != 200 || doc.Url.Path != "/audit" {
		t.Errorf("sign-in: status %d on %s: %.200s", status, doc.Url.Path, clean(doc.Selection))
	}
	if doc.Find(".demo-line").Length() != 0 {
		t.Error("a real installation calls itself a demo")
	}
}
