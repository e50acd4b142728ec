package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	provider "github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	oidctypes "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"vitrine/policy/identity/oidc"
	"vitrine/web/app"
)

// groups puts a person's groups into what the provider says about them.
type groups struct {
	*storage.Storage
	of map[string][]string
}

func (g *groups) SetUserinfoFromToken(ctx context.Context, info *oidctypes.UserInfo, tokenID, subject, origin string) error {
	info.AppendClaims("groups", g.of[subject])
	return g.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
}

// campus starts a certified OpenID provider with two people, and an installation that
// they sign in to through it.
func campus(t *testing.T) (*installation, *groups) {
	t.Helper()
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	srv := httptest.NewUnstartedServer(nil)
	issuer := "http://" + srv.Listener.Addr().String()
	g := &groups{storage.NewStorage(storage.NewUserStore(issuer)), map[string][]string{"id1": {"data-stewards"}, "id2": {"visitors"}}}
	srv.Config.Handler = provider.SetupServer(issuer, g, slog.New(slog.NewTextHandler(io.Discard, nil)), false, op.WithAllowInsecure())
	srv.Start()
	t.Cleanup(srv.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a secret of the client"), 0o600); err != nil {
		t.Fatal(err)
	}
	described, err := oidc.ReadConfig(strings.NewReader(`{"name": "Campus", "issuer": "` + issuer + `", "client_id": "vitrine", "client_secret_file": "` + secret +
		`", "roles": {"data-stewards": ["auditor"], "staff": ["analyst"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	n := install(t, func(c *app.Config) { c.OIDC = described })
	storage.RegisterClients(storage.WebClient("vitrine", "a secret of the client", n.base+"/signin/oidc/callback"))
	return n, g
}

// through signs a person of the provider in, as a browser does.
func through(v *visitor, path, user string) (int, *goquery.Document) {
	v.t.Helper()
	res, err := v.http.Get(v.base + path)
	if err != nil {
		v.t.Fatal(err)
	}
	login, err := goquery.NewDocumentFromReader(res.Body)
	res.Body.Close()
	if err != nil {
		v.t.Fatal(err)
	}
	id := login.Find("input[name=id]").AttrOr("value", "")
	if id == "" {
		v.t.Fatalf("%s: the provider shows no form: %.300s", res.Request.URL, clean(login.Selection))
	}
	r, err := http.NewRequest(http.MethodPost, res.Request.URL.Scheme+"://"+res.Request.URL.Host+"/login/username",
		strings.NewReader(url.Values{"id": {id}, "username": {user}, "password": {"verysecure"}}.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// TestSignInThroughAProvider walks the code flow against a real provider: a new account
// with the roles of its groups, the same account the next time, other roles when the
// groups change, nothing for whom no group has a role.
func TestSignInThroughAProvider(t *testing.T) {
	n, g := campus(t)
	n.ada()
	v := n.browser()
	if _, doc := v.get("/signin?next=/audit"); doc.Find("a[href='/signin/oidc?next=%2Faudit']").Length() != 1 {
		t.Fatalf("no button: %.300s", clean(doc.Find("main")))
	}
	name := "test-user@127.0.0.1"
	status, doc := through(v, "/signin/oidc?next=/audit", name)
	if status != 200 || doc.Url.Path != "/audit" || doc.Url.Host != strings.TrimPrefix(n.base, "http://") {
		t.Fatalf("status %d on %s: %.300s", status, doc.Url, clean(doc.Selection))
	}
	users := func() map[string][]string {
		list, err := n.app.Users(context.Background(), n.app.Local())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]string{}
		for _, u := range list {
			out[u.Name] = u.Roles
		}
		return out
	}
	if got := users(); len(got) != 2 || strings.Join(got[name], " ") != "auditor" {
		t.Errorf("accounts %v", got)
	}
	g.of["id1"] = []string{"staff", "visitors"}
	if status, doc = through(n.browser(), "/signin/oidc", name); status != 200 || doc.Find("body").AttrOr("data-role", "") != "analyst" {
		t.Errorf("status %d, role %q", status, doc.Find("body").AttrOr("data-role", ""))
	}
	if got := users(); len(got) != 2 || strings.Join(got[name], " ") != "analyst" {
		t.Errorf("accounts %v", got)
	}
	if _, doc := v.get("/audit"); doc.Url.Path != "/signin" {
		t.Errorf("a session outlived the roles it was opened with: %s", doc.Url.Path)
	}
	if status, doc = through(n.browser(), "/signin/oidc", "test-user2"); status != http.StatusForbidden || doc.Url.Path != "/signin/oidc/callback" || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("no role: status %d on %s", status, doc.Url.Path)
	}
	if got := users(); len(got) != 2 {
		t.Errorf("accounts %v", got)
	}
	if err := n.app.DisableUser(context.Background(), n.app.Local(), name); err != nil {
		t.Fatal(err)
	}
	if status, _ = through(n.browser(), "/signin/oidc", name); status != http.StatusUnauthorized {
		t.Errorf("a closed account: status %d", status)
	}
}

// TestCallbackOfAnother: an answer opens nothing in a browser that did not ask for it
// (login CSRF), nor twice, nor sends the browser elsewhere.
func TestCallbackOfAnother(t *testing.T) {
	n, _ := campus(t)
	n.ada()
	victim := n.browser()
	for _, path := range []string{"/signin/oidc/callback", "/signin/oidc/callback?code=x&state=", "/signin/oidc/callback?code=x&state=y&iss=https://evil.example"} {
		if status, doc := victim.get(path); status != http.StatusUnauthorized || doc.Find("[role=alert]").Length() != 1 {
			t.Errorf("%s: status %d", path, status)
		}
	}
	v := n.browser()
	var answer *url.URL
	v.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/signin/oidc/callback" {
			answer = r.URL
		}
		return nil
	}
	if _, doc := through(v, "/signin/oidc?next=https://evil.example/", "test-user@127.0.0.1"); doc.Url.Host != strings.TrimPrefix(n.base, "http://") || doc.Url.Path != "/" {
		t.Errorf("sent to %s", doc.Url)
	}
	if status, _ := v.get(answer.RequestURI()); status != http.StatusUnauthorized {
		t.Errorf("the same answer again: status %d", status)
	}
	if _, err := victim.http.Get(n.base + "/signin/oidc"); err != nil { // a flow of its own
		t.Fatal(err)
	}
	if status, _ := victim.get(answer.RequestURI()); status != http.StatusUnauthorized {
		t.Errorf("the attacker's answer in the victim's browser: status %d", status)
	}
	if _, doc := victim.get("/audit"); doc.Url.Path != "/signin" {
		t.Errorf("the victim is signed in as the attacker: %s", doc.Url.Path)
	}
}
