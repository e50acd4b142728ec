package web

import (
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"vitrine/web/app"
)

// console is one seeded installation behind a test server, shared by the tests
// of the pages: seeding runs the shipped models.
type console struct {
	url    string
	tokens map[string]string // role -> token of its sign-in link
}

var shared = sync.OnceValues(func() (*console, error) {
	ctx := context.Background()
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, app.Config{Data: dir})
	if err != nil {
		return nil, err
	}
	accounts, err := a.SeedDemo(ctx)
	if err != nil {
		return nil, err
	}
	s, err := New(Config{App: a, Demo: true})
	if err != nil {
		return nil, err
	}
	srv := httptest.NewServer(s.Handler())
	stop = func() {
		srv.Close()
		_ = a.Close(context.Background())
	}
	c := &console{url: srv.URL, tokens: map[string]string{}}
	for _, x := range accounts {
		c.tokens[x.Role] = x.Token
	}
	return c, nil
})

// visitor is somebody's browser, without script.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
}

// visit signs in as a role; an empty role is a guest.
func visit(t *testing.T, role string) *visitor {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, base: c.url, http: &http.Client{Jar: jar}}
	if role != "" {
		status, doc := v.get("/demo?token=" + c.tokens[role])
		if status != http.StatusOK || doc.Find("body").AttrOr("data-role", "") != role {
			t.Fatalf("signing in as %s: status %d, role %q", role, status, doc.Find("body").AttrOr("data-role", ""))
		}
	}
	return v
}

func (v *visitor) do(r *http.Request) (int, *goquery.Document) {
	v.t.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	res, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := goquery.NewDocumentFromReader(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	doc.Url = res.Request.URL
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		v.t.Errorf("%s: content security policy %q", r.URL.Path, csp)
	}
	return res.StatusCode, doc
}

func (v *visitor) get(path string) (int, *goquery.Document) {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(r)
}

func (v *visitor) post(path string, form url.Values) (int, *goquery.Document) {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", v.base)
	return v.do(r)
}

func (v *visitor) upload(path string, form map[string]string, field, name string, data []byte) (int, *goquery.Document) {
	v.t.Helper()
	pr, pw := io.Pipe()
	w := multipart.NewWriter(pw)
	go func() {
		for k, x := range form {
			_ = w.WriteField(k, x)
		}
		if f, err := w.CreateFormFile(field, name); err == nil {
			_, _ = f.Write(data)
		}
		_ = w.Close()
		_ = pw.Close()
	}()
	r, err := http.NewRequest(http.MethodPost, v.base+path, pr)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Origin", v.base)
	return v.do(r)
}

func clean(s *goquery.Selection) string { return strings.Join(strings.Fields(s.Text()), " ") }

// TestPagesByRole is the table of who may open which page.
func TestPagesByRole(t *testing.T) {
	roles := []string{"", "analyst", "model-owner", "reviewer", "auditor", "admin"}
	for _, c := range []struct {
		path string
		want [6]int // in the order of roles; a guest ends on the sign-in page
	}{
		{"/", [6]int{200, 200, 200, 200, 200, 200}},
		{"/playground", [6]int{200, 200, 200, 200, 200, 200}},
		{"/playground?kind=image", [6]int{200, 200, 200, 200, 200, 200}},
		{"/predictions", [6]int{200, 200, 200, 200, 200, 200}},
		{"/models", [6]int{200, 200, 200, 200, 200, 200}},
		{"/models/sentiment-minilm", [6]int{200, 200, 200, 200, 200, 200}},
		{"/models/digits-resnet/examples/0", [6]int{200, 200, 200, 200, 200, 200}},
		{"/audit", [6]int{200, 403, 403, 403, 200, 200}},
		{"/audit/0", [6]int{200, 403, 403, 403, 200, 200}},
		{"/audit/999999", [6]int{200, 403, 403, 403, 404, 404}},
		{"/exports", [6]int{200, 403, 403, 403, 200, 200}},
		{"/policies", [6]int{200, 403, 200, 403, 200, 200}},
		{"/people", [6]int{200, 403, 403, 403, 403, 200}},
		{"/account", [6]int{200, 200, 200, 200, 200, 200}},
		{"/help", [6]int{200, 200, 200, 200, 200, 200}},
		{"/compare", [6]int{404, 404, 404, 404, 404, 404}},
	} {
		for i, role := range roles {
			status, doc := visit(t, role).get(c.path)
			if status != c.want[i] {
				t.Errorf("%s as %q: status %d, want %d", c.path, role, status, c.want[i])
			}
			if role == "" && status == 200 && doc.Url.Path != "/signin" {
				t.Errorf("%s: a guest stays on %s", c.path, doc.Url.Path)
			}
			if status == 403 && (doc.Find("h1").Length() != 1 || !strings.Contains(clean(doc.Selection), "r-0")) {
				t.Errorf("%s as %q: the refusal names no rule: %.300s", c.path, role, clean(doc.Find("main")))
			}
		}
	}
}

func TestSignInKeepsItsErrorOnTheForm(t *testing.T) {
	v := visit(t, "")
	status, doc := v.post("/signin", url.Values{"name": {"nobody"}, "password": {"wrong wrong wrong"}, "next": {"/audit"}})
	if status != http.StatusUnauthorized || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("status %d, page %.200s", status, clean(doc.Selection))
	}
	if got := doc.Find("#name").AttrOr("value", ""); got != "nobody" {
		t.Errorf("the name typed is now %q", got)
	}
	if got := doc.Find("input[name=next]").AttrOr("value", ""); got != "/audit" {
		t.Errorf("next is %q", got)
	}
	if doc.Find("#password").AttrOr("value", "") != "" {
		t.Error("the password comes back")
	}
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/\tx"} {
		if got := localPath(next); got != "/" {
			t.Errorf("localPath(%q) = %q", next, got)
		}
	}
}

func TestCrossOriginWritesAreRefused(t *testing.T) {
	v := visit(t, "admin")
	r, err := http.NewRequest(http.MethodPost, v.base+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://evil.example")
	if status, _ := v.do(r); status != http.StatusForbidden {
		t.Errorf("status %d", status)
	}
	if status, doc := v.get("/"); status != 200 || doc.Find("body").AttrOr("data-role", "") != "admin" {
		t.Error("the session has gone")
	}
}

func TestLanguageAndThemeAreLinks(t *testing.T) {
	v := visit(t, "analyst")
	_, doc := v.get("/help?lang=zh-Hans&theme=dark")
	if doc.Url.RawQuery != "" {
		t.Errorf("the address keeps %q", doc.Url.RawQuery)
	}
	_, doc = v.get("/models")
	if lang, theme := doc.Find("html").AttrOr("lang", ""), doc.Find("html").AttrOr("data-theme", ""); lang != "zh-Hans" || theme != "dark" {
		t.Errorf("lang %q, theme %q", lang, theme)
	}
	_, doc = v.get("/models?lang=en&theme=system")
	if lang, theme := doc.Find("html").AttrOr("lang", ""), doc.Find("html").AttrOr("data-theme", ""); lang != "en" || theme != "" {
		t.Errorf("lang %q, theme %q", lang, theme)
	}
}

func TestSignOut(t *testing.T) {
	v := visit(t, "reviewer")
	if status, doc := v.post("/signout", nil); status != 200 || doc.Url.Path != "/signin" {
		t.Errorf("status %d on %s", status, doc.Url.Path)
	}
	if _, doc := v.get("/predictions"); doc.Url.Path != "/signin" {
		t.Errorf("after signing out %s opens", doc.Url.Path)
	}
}
