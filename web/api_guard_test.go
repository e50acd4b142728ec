package web

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"vitrine/policy"
)

func TestHeadersOfEveryAnswer(t *testing.T) {
	c := program(t, policy.Admin)
	for _, path := range []string{"/", "/signin", "/api/v1/models", "/api/v1/nothing", "/hf/models/nobody", "/healthz", "/static/nothing"} {
		a := c.call(http.MethodGet, path, nil)
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: content security policy %q", path, csp)
		}
		if a.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: no request id", path)
		}
		if strings.HasPrefix(path, "/api/v1/nothing") && (a.status != http.StatusNotFound || a.header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: status %d, cache %q", path, a.status, a.header.Get("Cache-Control"))
		}
	}
}

// TestSessionCookie: a sign-in makes a new token whatever the browser brought,
// in a cookie that scripts and other sites do not get; sign-out ends it.
func TestSessionCookie(t *testing.T) {
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	planted := &http.Cookie{Name: "vitrine-session", Value: strings.Repeat("a", 43), Path: "/"}
	jar.SetCookies(base, []*http.Cookie{planted})
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(c.url + "/demo?token=" + c.tokens[policy.Analyst])
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	var session *http.Cookie
	for _, k := range res.Cookies() {
		if k.Name == "vitrine-session" {
			session = k
		}
	}
	if session == nil || session.Value == planted.Value || len(session.Value) < 43 {
		t.Fatalf("no new session token: %v", res.Cookies())
	}
	if !session.HttpOnly || session.SameSite != http.SameSiteLaxMode || session.Path != "/" || session.Domain != "" {
		t.Errorf("cookie %v", session)
	}
	if res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the token of the link may travel on in a Referer")
	}
	guest := program(t, "")
	with := func() int {
		return guest.call(http.MethodGet, "/api/v1/models", nil, "Cookie", "vitrine-session="+session.Value).status
	}
	if got := with(); got != http.StatusOK {
		t.Fatalf("the session gives status %d", got)
	}
	if a := guest.call(http.MethodPost, "/signout", nil, "Cookie", "vitrine-session="+session.Value, "Origin", c.url); a.status != http.StatusSeeOther {
		t.Fatalf("sign-out: status %d", a.status)
	}
	if got := with(); got != http.StatusUnauthorized {
		t.Errorf("after sign-out the session gives status %d", got)
	}
}

func TestHTTPSCookies(t *testing.T) {
	s, err := New(Config{URL: "https://vitrine.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if k := s.cookie(SessionCookie, "x", 0); k.Name != "__Host-vitrine-session" || !k.Secure || !k.HttpOnly {
		t.Errorf("%v", k)
	}
}

func TestForeignHostsAndSites(t *testing.T) {
	c := program(t, policy.Admin)
	if a := c.call(http.MethodGet, "/api/v1/models", nil, "Host", "evil.example"); a.status != http.StatusMisdirectedRequest || a.problem(t).Code != "wrong_host" {
		t.Errorf("another host: status %d", a.status)
	}
	for _, origin := range []string{"https://evil.example", "null"} {
		a := c.call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "x"}, "Origin", origin, "Sec-Fetch-Site", "cross-site")
		if a.status != http.StatusForbidden || a.problem(t).Code != "cross_origin" {
			t.Errorf("from %s: status %d", origin, a.status)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	c := program(t, "")
	c.key = "vk_0123456789_nobody"
	for _, path := range []string{"/api/v1/models", "/healthz", "/hf/models/x"} {
		if a := c.call(http.MethodGet, path, nil); a.status != http.StatusUnauthorized && a.status != http.StatusTooManyRequests || a.header.Get("WWW-Authenticate") == "" && a.status == http.StatusUnauthorized {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
}

func TestBodiesOfTheWrongKind(t *testing.T) {
	c := program(t, policy.Analyst)
	for _, x := range []struct {
		name, media string
		body        any
		status      int
		code        string
	}{
		{"form", "application/x-www-form-urlencoded", "model=x", http.StatusUnsupportedMediaType, "unsupported_media_type"},
		{"no media type", "nonsense/", "{}", http.StatusUnsupportedMediaType, "unsupported_media_type"},
		{"not UTF-8", "application/json", "{\"model\":\"sentiment-minilm\",\"text\":\"\xff\"}", http.StatusBadRequest, "invalid_request"},
		{"half a pair", "application/json", `{"model":"sentiment-minilm","text":"\ud800"}`, http.StatusBadRequest, "invalid_request"},
		{"nothing", "application/json", "", http.StatusBadRequest, "invalid_request"},
		{"two", "application/json", `{} {}`, http.StatusBadRequest, "invalid_request"},
		{"deep", "application/json", strings.Repeat("[", 20000), http.StatusBadRequest, "invalid_request"},
		{"too large", "application/json", `{"model":"x","text":"` + strings.Repeat("a", imageBody) + `"}`, http.StatusRequestEntityTooLarge, "too_large"},
	} {
		a := c.call(http.MethodPost, "/api/v1/predictions", x.body, "Content-Type", x.media)
		if p := a.problem(t); a.status != x.status || p.Code != x.code || p.Hint == "" {
			t.Errorf("%s: status %d %s", x.name, a.status, a.body)
		}
	}
	a := c.call(http.MethodPut, "/api/v1/predictions", nil)
	if a.status != http.StatusMethodNotAllowed || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("PUT: status %d, Allow %q", a.status, a.header.Get("Allow"))
	}
}
