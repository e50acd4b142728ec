package web

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium starts a browser. Where there is none the browser tests are left out,
// unless VITRINE_BROWSER=required, which the CI sets: there they fail.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("VITRINE_BROWSER") == "required" {
			t.Fatal("no Chromium in the path, and VITRINE_BROWSER=required")
		}
		t.Skip("no Chromium in the path: the pages are not looked at in a browser")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestBrowserWithScript: what script adds works under the content security
// policy, and nothing complains on the console on the way from a text to its
// attention heads.
func TestBrowserWithScript(t *testing.T) {
	ctx := chromium(t)
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	chromedp.ListenTarget(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *log.EventEntryAdded:
			t.Errorf("console: %s %s", e.Entry.Text, e.Entry.URL)
		case *runtime.EventExceptionThrown:
			t.Errorf("script: %s", e.ExceptionDetails.Error())
		}
	})
	var mask, focus, current, outcome, waited string
	var heads int
	err = chromedp.Run(ctx,
		chromedp.Navigate(c.url+"/demo?token="+c.tokens["model-owner"]),
		chromedp.Navigate(c.url+"/playground"),
		chromedp.SendKeys("#text", "A wonderful film, write to "+canary, chromedp.ByQuery),
		chromedp.WaitVisible("#preview .mask", chromedp.ByQuery),
		chromedp.Text("#preview .mask", &mask, chromedp.ByQuery),
		chromedp.Click("#m-attention", chromedp.ByQuery),
		chromedp.Click("form button.primary", chromedp.ByQuery),
		chromedp.WaitVisible("table.heads", chromedp.ByQuery),
		chromedp.Text("h1", &outcome, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelectorAll("table.heads td a").length`, &heads),
		// Arrows walk along the tokens; a token marks its bar.
		chromedp.Evaluate(`(() => { const a = document.querySelectorAll(".toks a"); a[0].focus(); return "" })()`, &waited),
		chromedp.KeyEvent(kb.ArrowRight),
		chromedp.Evaluate(`document.activeElement.dataset.tok ?? ""`, &focus),
		chromedp.Evaluate(`document.querySelector("tr.here[data-tok]")?.dataset.tok ?? ""`, &current),
	)
	if err != nil {
		t.Fatal(err)
	}
	if mask != "[EMAIL]" {
		t.Errorf("the preview masks %q", mask)
	}
	if !strings.HasPrefix(outcome, "positive") || heads != 48 {
		t.Errorf("outcome %q with %d heads", outcome, heads)
	}
	if focus != "1" || focus != current {
		t.Errorf("focus on token %q, bar %q marked", focus, current)
	}
}
