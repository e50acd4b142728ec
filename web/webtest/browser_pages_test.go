package webtest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"vitrine/policy"
	"vitrine/views/gallery"
	"vitrine/web/app"
)

// roles are the people of the demo.
var roles = []string{policy.Analyst, policy.ModelOwner, policy.Reviewer, policy.Auditor, policy.Admin}

// pages are the addresses that every role is shown, by a short name: what a role
// may not see is a refusal, which is a page too.
func pages(t *testing.T) map[string]string {
	t.Helper()
	list, err := console.app.Predictions(t.Context(), console.app.Local(), app.PredictionQuery{})
	if err != nil {
		t.Fatal(err)
	}
	p := map[string]string{
		"dashboard": "/", "playground-text": "/playground?text=Write+to+a.b%40example.com+now", "playground-image": "/playground?kind=image",
		"predictions": "/predictions", "models": "/models", "model": "/models/sentiment-minilm", "audit": "/audit", "entry": "/audit/5",
		"exports": "/exports", "policies": "/policies", "policy-cell": "/policies?role=analyst&action=predict", "policy-reach": "/policies/who-can?action=predict", "help": "/help", "reviews": "/reviews", "reports": "/reports", "account": "/account", "people": "/people",
		"generate": "/generate", "methods": "/methods", "method": "/methods/integrated-gradients", "jobs": "/jobs", "batch": "/batch", "missing": "/no-such-page",
	}
	for _, x := range list.Items {
		switch {
		case x.Model.Name == "digits-resnet":
			p["prediction-image"] = "/predictions/" + x.ID
		case slices.Contains(x.Methods, "integrated-gradients"):
			p["prediction-text"] = "/predictions/" + x.ID
			p["compare"] = "/predictions/" + x.ID + "/compare"
			// The comparison needs two; asked again it is the stored one.
			if _, err := console.app.Explain(t.Context(), console.app.Local(), x.ID, app.ExplainRequest{Method: "input-x-gradient"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if p["prediction-image"] == "" || p["prediction-text"] == "" {
		t.Fatal("the demo has no prediction of each kind")
	}
	return p
}

// TestEveryPage shows every page to every role in both languages and themes.
func TestEveryPage(t *testing.T) {
	if console.err != nil {
		t.Fatal(console.err)
	}
	all := pages(t)
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			b := open(t, role)
			for _, lang := range []string{"en", "zh-Hans"} {
				b.follow("/help?theme=light&lang=" + lang)
				for name, path := range all {
					b.look(role+" "+lang+" "+name, path, role, lang)
				}
			}
		})
	}
}

// look checks one page; the light theme is the server's, and the dark one is
// the same page under the attribute that the server would have written.
func (b *tab) look(what, path, role, lang string) {
	b.t.Helper()
	b.follow(path)
	var at struct{ Lang, Role, Theme string }
	b.js(`({lang: document.documentElement.lang, role: document.body.dataset.role, theme: document.documentElement.dataset.theme})`, &at)
	if at.Lang != lang || at.Role != role || at.Theme != "light" {
		b.t.Errorf("%s is in language %q for role %q in theme %q", what, at.Lang, at.Role, at.Theme)
	}
	b.axeOnce(what + " light")
	file := strings.ReplaceAll(what, " ", "-")
	b.shot(file+"-light-1280", 1280)
	b.narrow(what)
	b.dark()
	b.axeOnce(what+" dark", "color-contrast", "link-in-text-block")
	b.shot(file+"-dark-375", 375)
	b.quiet()
}

// dark switches the page under the reader. Taking the body out of the page and
// back makes the browser compute every colour again: without it Chromium now and
// then keeps a cell's light-dark() colour of the old theme.
func (b *tab) dark() {
	b.t.Helper()
	b.js(`(() => { const d = document; d.documentElement.dataset.theme = "dark"; d.body.hidden = true
	void d.body.offsetHeight; d.body.hidden = false; return d.body.offsetHeight > 0 })()`, nil)
}

// TestServerWritesTheTheme: a link sets it, the next page has it from the server.
func TestServerWritesTheTheme(t *testing.T) {
	b := open(t, policy.Admin)
	for _, theme := range []string{"dark", "light"} {
		b.follow("/?theme=" + theme)
		var got string
		b.js(`document.documentElement.dataset.theme + " " + location.search`, &got)
		if got != theme+" " {
			t.Errorf("theme %q, address and all: %q", theme, got)
		}
	}
	b.follow("/?theme=system")
	b.axe("dashboard in the system's theme")
}

// TestSignInPages: the pages outside the console.
func TestSignInPages(t *testing.T) {
	b := open(t, "")
	for _, lang := range []string{"en", "zh-Hans"} {
		for _, theme := range []string{"light", "dark"} {
			for name, path := range map[string]string{"signin": "/signin?", "signin-first": "/audit?", "setup-dead": "/setup?token=x&"} {
				what := name + " " + lang + " " + theme
				b.follow(path + "lang=" + lang + "&theme=" + theme)
				b.axe(what)
				b.shot("nobody-"+lang+"-"+name+"-"+theme+"-1280", 1280)
				b.narrow(what)
			}
		}
	}
}

// TestKeyboard: what a person without a pointer needs.
func TestKeyboard(t *testing.T) {
	b := open(t, policy.Admin)
	active := func() string {
		var s string
		b.js(`(document.activeElement.id || document.activeElement.className || document.activeElement.tagName)`, &s)
		return s
	}
	b.follow("/predictions")
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := active(); got != "skip" {
		t.Errorf("the first stop of the keyboard is %q", got)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	if got := active(); got != "main" {
		t.Errorf("the skip link leads to %q", got)
	}
	b.do(chromedp.KeyEvent("/"))
	if got := active(); got != "q" {
		t.Errorf("/ leads to %q", got)
	}
	b.follow(pages(t)["prediction-text"])
	stops := func() (n int) {
		b.js(`document.querySelectorAll('.toks a[tabindex="0"]').length`, &n)
		return n
	}
	if stops() != 1 {
		t.Errorf("the token strip has %d stops", stops())
	}
	b.js(`document.querySelector('.toks a[tabindex="0"]').focus(), true`, nil)
	for _, step := range []struct{ key, want string }{{kb.ArrowRight, "1"}, {kb.ArrowRight, "2"}, {kb.ArrowLeft, "1"}, {kb.Home, "0"}} {
		b.do(chromedp.KeyEvent(step.key))
		var tok, bar string
		b.js(`document.activeElement.dataset.tok ?? ""`, &tok)
		b.js(`document.querySelector("tr.here[data-tok]")?.dataset.tok ?? ""`, &bar)
		if tok != step.want || bar != tok || stops() != 1 {
			t.Errorf("token %q focused, bar %q marked, want %q; %d stops", tok, bar, step.want, stops())
		}
	}
	b.do(chromedp.KeyEvent("g"))
	b.arrive(chromedp.KeyEvent("m"))
	if at := b.where(); at != "/models" {
		t.Errorf("g m leads to %s", at)
	}
}

// TestGallery looks at every page in every state, with made-up contents, in both
// languages and themes.
func TestGallery(t *testing.T) {
	if console.err != nil {
		t.Fatal(console.err)
	}
	srv := httptest.NewServer(gallery.Handler())
	t.Cleanup(srv.Close)
	for _, look := range [][2]string{{"en", "light"}, {"zh-Hans", "dark"}} {
		t.Run(look[0]+" "+look[1], func(t *testing.T) {
			t.Parallel()
			b := open(t, "")
			for _, s := range gallery.States() {
				what := s.Name + " " + look[0] + " " + look[1]
				if status := b.follow(srv.URL + "/" + s.Name + "?lang=" + look[0] + "&theme=" + look[1]); status != http.StatusOK {
					t.Errorf("%s: status %d", what, status)
				}
				b.axe(what)
				b.shot("gallery-"+strings.ReplaceAll(what, " ", "-")+"-1280", 1280)
				b.narrow(what)
				b.quiet()
			}
		})
	}
}

// TestAttentionHeads: the grid holds every head of every layer, and each leads to
// its matrix.
func TestAttentionHeads(t *testing.T) {
	b := open(t, policy.ModelOwner)
	b.fill("A wonderful film.", "quality-review", "attention")
	b.press("form.cols button.primary")
	if n := b.count("table.heads td a"); n != 4*12 {
		t.Errorf("%d heads, the model has 4 layers of 12", n)
	}
	b.press("table.heads tbody tr:nth-child(2) td:nth-of-type(3) a")
	if at := b.where(); !strings.Contains(at, "layer=2") || !strings.Contains(at, "head=3") {
		t.Errorf("the third head of the second layer is at %s", at)
	}
}

// TestAxeIsUnmodified compares the vendored file with what its note says.
func TestAxeIsUnmodified(t *testing.T) {
	note, err := os.ReadFile("testdata/axe/README.md")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(axeJS))
	if !strings.Contains(string(note), hex.EncodeToString(sum[:])) {
		t.Errorf("axe.min.js has sha256 %x, which its README does not name", sum)
	}
}
