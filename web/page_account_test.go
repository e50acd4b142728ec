package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"vitrine/web/app"
)

// installation is a real one, not the demo, whose clock a test moves.
type installation struct {
	t     *testing.T
	app   *app.App
	base  string
	moved atomic.Int64
}

func install(t *testing.T, set ...func(*app.Config)) *installation {
	t.Helper()
	ctx := context.Background()
	srv := httptest.NewUnstartedServer(nil)
	n := &installation{t: t, base: "http://" + srv.Listener.Addr().String()}
	config := app.Config{Data: t.TempDir(), Now: n.now, URL: n.base}
	for _, f := range set {
		f(&config)
	}
	a, err := app.New(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	s, err := New(Config{App: a})
	if err != nil {
		t.Fatal(err)
	}
	n.app, srv.Config.Handler = a, s.Handler()
	srv.Start()
	t.Cleanup(srv.Close)
	return n
}

func (n *installation) now() time.Time          { return time.Now().Add(time.Duration(n.moved.Load())) }
func (n *installation) advance(d time.Duration) { n.moved.Add(int64(d)) }

func (n *installation) browser() *visitor {
	n.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return &visitor{t: n.t, base: n.base, http: &http.Client{Jar: jar}}
}

const adaPassword = "a sentence of many words, said once"

// ada is the first administrator, signed in.
func (n *installation) ada() *visitor {
	n.t.Helper()
	v := n.browser()
	token, err := n.app.SetupToken(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	if status, doc := v.post("/setup", url.Values{"token": {token}, "name": {"ada"}, "password": {adaPassword}}); status != http.StatusOK {
		n.t.Fatalf("setup: status %d %.300s", status, clean(doc.Selection))
	}
	return v
}

func adaSignsIn(v *visitor) (int, *goquery.Document) {
	return v.post("/signin", url.Values{"name": {"ada"}, "password": {adaPassword}, "next": {"/audit"}})
}

// appCode is what an authenticator app shows: RFC 6238, written a second time.
func appCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(secret, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1000000)
}

// TestAuthenticator sets an app up, signs in with it, with a recovery code, and not
// without; a code works once.
func TestAuthenticator(t *testing.T) {
	n := install(t)
	v := n.ada()
	if status, doc := v.post("/account/authenticator", nil); status != 200 || doc.Url.Path != "/account" || doc.Find("svg.qr path").Length() != 1 {
		t.Fatalf("status %d %.300s", status, clean(doc.Selection))
	}
	_, doc := v.get("/account")
	secret := clean(doc.Find("pre.code"))
	if status, doc := v.post("/account/authenticator/confirm", url.Values{"code": {"000000"}}); status != http.StatusUnauthorized ||
		doc.Find("[role=alert]").Length() != 1 || clean(doc.Find("pre.code")) != secret {
		t.Errorf("a wrong code: status %d, and the secret must stay: %.300s", status, clean(doc.Find("main")))
	}
	status, doc := v.post("/account/authenticator/confirm", url.Values{"code": {appCode(t, secret, n.now())}})
	recovery := strings.Fields(doc.Find("pre.code").First().Text())
	if status != 200 || len(recovery) != 10 {
		t.Fatalf("status %d, %d recovery codes, %.300s", status, len(recovery), clean(doc.Find("main")))
	}
	if _, doc := v.get("/account"); strings.Contains(doc.Text(), recovery[0]) || strings.Contains(doc.Text(), secret) {
		t.Error("secrets are shown a second time")
	}

	w := n.browser()
	if status, doc := adaSignsIn(w); status != 200 || doc.Url.Path != "/signin/code" {
		t.Fatalf("password with an app set up: status %d on %s", status, doc.Url.Path)
	}
	if _, doc := w.get("/audit"); doc.Url.Path != "/signin" {
		t.Errorf("the password alone opened %s", doc.Url.Path)
	}
	if status, doc := w.post("/signin/code", url.Values{"code": {appCode(t, secret, n.now())}, "next": {"/audit"}}); status != http.StatusUnauthorized || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("the code that set it up worked again: status %d", status)
	}
	n.advance(30 * time.Second)
	if status, doc := w.post("/signin/code", url.Values{"code": {appCode(t, secret, n.now())}, "next": {"https://evil.example/"}}); status != 200 || doc.Url.Path != "/" {
		t.Errorf("status %d on %s", status, doc.Url)
	}
	w = n.browser()
	adaSignsIn(w)
	if status, doc := w.post("/signin/code", url.Values{"code": {strings.ToLower(recovery[7])}, "next": {"/audit"}}); status != 200 || doc.Url.Path != "/audit" {
		t.Errorf("a recovery code ends with status %d on %s", status, doc.Url.Path)
	}
	if _, doc := w.get("/account"); !strings.Contains(clean(doc.Selection), "9 recovery codes") {
		t.Errorf("%.400s", clean(doc.Find("main")))
	}
	w = n.browser()
	adaSignsIn(w)
	n.advance(6 * time.Minute)
	if _, doc := w.post("/signin/code", url.Values{"code": {recovery[8]}}); doc.Url.Path != "/signin" {
		t.Errorf("six minutes after the password: %s", doc.Url.Path)
	}
}

// TestProofBeforeWhatMatters: half an hour after signing in, a change of the policy and a
// key need the password again; reading does not.
func TestProofBeforeWhatMatters(t *testing.T) {
	n := install(t)
	v := n.ada()
	n.advance(31 * time.Minute)
	if status, _ := v.get("/policies"); status != 200 {
		t.Errorf("reading: status %d", status)
	}
	export := url.Values{"format": {"csv"}}
	status, doc := v.post("/exports", export)
	if status != http.StatusForbidden || doc.Find("form[action='/prove'] input[type=password]").Length() != 1 {
		t.Fatalf("status %d %.300s", status, clean(doc.Find("main")))
	}
	if status, doc := v.post("/prove", url.Values{"password": {"wrong wrong wrong"}, "next": {"/exports"}}); status != http.StatusUnauthorized || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("a wrong password: status %d", status)
	}
	if status, doc := v.post("/prove", url.Values{"password": {adaPassword}, "next": {"/exports"}}); status != 200 || doc.Url.Path != "/exports" {
		t.Errorf("proved: status %d on %s", status, doc.Url.Path)
	}
	if status, doc := v.post("/exports", export); status != 200 {
		t.Errorf("after the proof: status %d %.300s", status, clean(doc.Find("main")))
	}
	for _, code := range []string{"SESSION.PROVED.OK", "SESSION.PROVED.FAILED"} {
		events, err := n.app.AuditEvents(context.Background(), n.app.Local(), app.EventQuery{Kind: code})
		if err != nil || len(events.Items) != 1 {
			t.Errorf("%s: %v %v", code, events, err)
		}
	}
}

// TestSessionsAndPassword: a person sees and ends their sessions; a new password ends
// the others and replaces the old one.
func TestSessionsAndPassword(t *testing.T) {
	n := install(t)
	v, w, x := n.ada(), n.browser(), n.browser()
	adaSignsIn(w)
	adaSignsIn(x)
	_, doc := v.get("/account")
	ids := doc.Find("form[action='/account/sessions'] button[name=id]").Map(func(_ int, s *goquery.Selection) string { return s.AttrOr("value", "") })
	if len(ids) != 3 || ids[2] != "others" {
		t.Fatalf("sessions %v", ids)
	}
	if status, _ := v.post("/account/sessions", url.Values{"id": {"01JD0000000000000000000003"}}); status != http.StatusNotFound {
		t.Errorf("somebody else's session: status %d", status)
	}
	if status, _ := v.post("/account/sessions", url.Values{"id": {ids[0]}}); status != 200 {
		t.Errorf("status %d", status)
	}
	if _, doc := x.get("/audit"); doc.Url.Path != "/signin" {
		t.Errorf("an ended session still opens %s", doc.Url.Path)
	}
	if status, doc := v.post("/account/password", url.Values{"old": {"not it, not at all"}, "fresh": {"another sentence of many words"}}); status != http.StatusUnauthorized || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("a wrong old password: status %d", status)
	}
	if status, doc := v.post("/account/password", url.Values{"old": {adaPassword}, "fresh": {"short"}}); status != http.StatusUnprocessableEntity || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("a weak new password: status %d", status)
	}
	if status, doc := v.post("/account/password", url.Values{"old": {adaPassword}, "fresh": {"another sentence of many words"}}); status != 200 || doc.Find(".note").Length() != 1 {
		t.Errorf("status %d %.300s", status, clean(doc.Find("main")))
	}
	if _, doc := w.get("/audit"); doc.Url.Path != "/signin" {
		t.Errorf("another session outlived the password: %s", doc.Url.Path)
	}
	if status, _ := v.get("/account"); status != 200 {
		t.Errorf("the own session ended: status %d", status)
	}
	if status, _ := adaSignsIn(x); status != http.StatusUnauthorized {
		t.Errorf("the old password: status %d", status)
	}
}
