package gallery

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts Chromium. Where there is none the browser tests are left out,
// unless VITRINE_BROWSER=required, which the CI sets: there they fail.
func browser(t *testing.T) context.Context {
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
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// violation is what axe-core finds.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML string `json:"html"`
	} `json:"nodes"`
}

// TestBrowser looks at every state in a real browser, in both languages and
// themes: nothing on the console (the content security policy speaks there), no
// finding of axe-core at WCAG 2.2 AA, and no sideways scrolling at 320 pixels.
func TestBrowser(t *testing.T) {
	ctx := browser(t)
	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(Handler())
	defer srv.Close()
	var mu sync.Mutex
	var console []string
	chromedp.ListenTarget(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *log.EventEntryAdded:
			console = append(console, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			console = append(console, e.ExceptionDetails.Error())
		}
	})
	for _, look := range [][2]string{{"en", "light"}, {"zh-Hans", "dark"}} {
		for _, st := range States() {
			name := fmt.Sprintf("%s/%s/%s", st.Name, look[0], look[1])
			mu.Lock()
			console = nil
			mu.Unlock()
			var found string
			var wide float64
			err := chromedp.Run(ctx,
				chromedp.EmulateViewport(1280, 900),
				chromedp.Navigate(srv.URL+"/"+st.Name+"?lang="+look[0]+"&theme="+look[1]),
				chromedp.Evaluate(string(axe)+";0", nil),
				chromedp.Evaluate(`axe.run({runOnly:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa"]}).then(r => JSON.stringify(r.violations))`, &found,
					func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
				chromedp.EmulateViewport(320, 900),
				chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &wide),
			)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			mu.Lock()
			for _, line := range console {
				t.Errorf("%s: console: %s", name, line)
			}
			mu.Unlock()
			if wide > 0 {
				t.Errorf("%s: %g pixels too wide at 320", name, wide)
			}
			var list []violation
			if err := json.Unmarshal([]byte(found), &list); err != nil {
				t.Fatal(err)
			}
			for _, v := range list {
				nodes := make([]string, 0, 3)
				for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
					nodes = append(nodes, n.HTML)
				}
				t.Errorf("%s: axe %s (%d places): %s\n\t%s", name, v.ID, len(v.Nodes), v.Help, strings.Join(nodes, "\n\t"))
			}
		}
	}
}
