package webtest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// axeJS is axe-core; testdata/axe/README.md says which and where from.
//
//go:embed testdata/axe/axe.min.js
var axeJS string

// patience is how long one step may take on a busy machine.
const patience = 45 * time.Second

// tab is one tab with cookies of its own. Whatever the page's console says, and
// every uncaught error, fails the test unless the test took it out.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu   sync.Mutex // guards said, which the browser's events write
	said []string
}

// open gives a fresh tab of 1280 × 900 in a browser context of its own. With a
// role the tab is signed in by the demo's link.
func open(t *testing.T, role string) *tab {
	t.Helper()
	if console.err != nil {
		t.Fatal(console.err)
	}
	id, err := newWindow()
	if err != nil {
		t.Fatalf("opening a window: %v", err)
	}
	ctx, cancel := chromedp.NewContext(console.chrome, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	b.do(chromedp.EmulateViewport(1280, 900))
	t.Cleanup(b.quiet)
	if role != "" {
		b.follow(console.links[role])
	}
	return b
}

// newWindow opens a window with cookies of its own. chromedp's own way asks for a
// tab in a window that such a fresh profile does not have yet.
func newWindow() (id target.ID, err error) {
	c := chromedp.FromContext(console.chrome)
	ctx, cancel := context.WithTimeout(cdp.WithExecutor(console.chrome, c.Browser), patience)
	defer cancel()
	profile, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
	if err != nil {
		return "", err
	}
	return target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
}

func (b *tab) listen(ev any) {
	line := ""
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		// The status of a refusal is the answer that the test asked for.
		refusal := strings.Contains(e.Entry.Text, "status of 403") || strings.Contains(e.Entry.Text, "status of 404 ") || strings.Contains(e.Entry.Text, "status of 422")
		if e.Entry.Source != log.SourceNetwork || !refusal {
			line = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		line = string(e.Type)
		for _, a := range e.Args {
			line += " " + string(a.Value)
		}
	case *runtime.EventExceptionThrown:
		line = e.ExceptionDetails.Error()
	}
	if line == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, line)
}

// quiet fails the test with everything the console said since the last call.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.said {
		b.t.Errorf("console: %s", s)
	}
	b.said = nil
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.t.Fatalf("%v on %s", err, b.where())
	}
}

func (b *tab) try(actions ...chromedp.Action) error {
	// The first run of a tab must have the tab's own context: its end closes the tab.
	if c := chromedp.FromContext(b.ctx); c == nil || c.Target == nil {
		if err := chromedp.Run(b.ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

func (b *tab) where() string {
	var at string
	if err := b.try(chromedp.Location(&at)); err != nil {
		return "an unknown page"
	}
	return strings.TrimPrefix(at, console.base)
}

// follow opens an address, or a path of the console, and returns the status.
func (b *tab) follow(address string) int {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = console.base + address
	}
	return b.arrive(chromedp.Navigate(address))
}

// arrive does what leads to another page, waits until that has loaded, and
// returns its status.
func (b *tab) arrive(actions ...chromedp.Action) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		b.t.Fatalf("waiting for a page: %v on %s", err, b.where())
	}
	if res == nil {
		return 0
	}
	return int(res.Status)
}

// press clicks on what leads to another page.
func (b *tab) press(selector string) int {
	b.t.Helper()
	b.see(selector)
	return b.arrive(chromedp.Evaluate(`document.querySelector(`+strconv.Quote(selector)+`).click()`, nil))
}

// see waits until something stands on the page.
func (b *tab) see(selector string) {
	b.t.Helper()
	if err := b.try(chromedp.WaitReady(selector, chromedp.ByQuery)); err != nil {
		b.t.Fatalf("waiting for %s: %v on %s: %.300s", selector, err, b.where(), b.text("main"))
	}
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	var s string
	b.js(`(document.querySelector(`+strconv.Quote(selector)+`)?.innerText ?? "").replace(/\s+/g, " ").trim()`, &s)
	return s
}

func (b *tab) texts(selector string) []string {
	b.t.Helper()
	var s []string
	b.js(`[...document.querySelectorAll(`+strconv.Quote(selector)+`)].map(e => e.innerText.replace(/\s+/g, " ").trim())`, &s)
	return s
}

func (b *tab) count(selector string) int {
	b.t.Helper()
	var n int
	b.js(`document.querySelectorAll(`+strconv.Quote(selector)+`).length`, &n)
	return n
}

// js evaluates an expression; a promise is waited for.
func (b *tab) js(expression string, into any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, into, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// api reads a resource of the API as the person of this tab.
func (b *tab) api(path string, into any) {
	b.t.Helper()
	var body string
	b.js(`fetch(`+strconv.Quote(path)+`).then(r => r.text())`, &body)
	if err := json.Unmarshal([]byte(body), into); err != nil {
		b.t.Fatalf("%s: %v: %.300s", path, err, body)
	}
}

// choose sets a field of a form by its id, as a person would: the page's script
// hears of it.
func (b *tab) choose(id, value string) {
	b.t.Helper()
	var ok bool
	b.js(`(() => { const f = document.getElementById(`+strconv.Quote(id)+`); if (!f || f.disabled) return false;
		if (f.type === "radio" || f.type === "checkbox") f.checked = `+strconv.Quote(value)+` !== ""; else f.value = `+strconv.Quote(value)+`;
		f.dispatchEvent(new Event("change", {bubbles: true})); return true })()`, &ok)
	if !ok {
		b.t.Fatalf("no field %s to fill in on %s", id, b.where())
	}
}

// looked are the pages that axe-core has looked at, by their skeleton.
var looked sync.Map

// skeleton names what axe-core judges by: elements with their classes, roles and
// attributes, and which of those are empty, in one language and theme; not the
// words, numbers and addresses of one page.
const skeleton = `(() => { let h = 0; for (const e of document.querySelectorAll("*")) {
	const s = e.tagName + e.getAttribute("class") + e.getAttribute("role") + e.getAttributeNames().map(a => a + (e.getAttribute(a) === "")) + [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim() !== "");
	for (let i = 0; i < s.length; i++) h = (Math.imul(h, 31) + s.charCodeAt(i)) | 0; }
	return document.documentElement.lang + document.documentElement.dataset.theme + h })()`

// axeOnce is axe, unless a page of the same skeleton has passed its eyes before: a
// refusal looks the same on every page.
func (b *tab) axeOnce(what string, rules ...string) {
	b.t.Helper()
	var key string
	b.js(skeleton, &key)
	if _, before := looked.LoadOrStore(key+strings.Join(rules, " "), true); !before {
		b.axe(what, rules...)
	}
}

// axe reports every violation that axe-core finds on the page; with rules it
// looks for those only. what says which page that was.
func (b *tab) axe(what string, rules ...string) {
	b.t.Helper()
	only := "{resultTypes: ['violations'], preload: false}"
	if len(rules) > 0 {
		list, err := json.Marshal(rules)
		if err != nil {
			b.t.Fatal(err)
		}
		only = "{resultTypes: ['violations'], preload: false, runOnly: {type: 'rule', values: " + string(list) + "}}"
	}
	var here bool
	b.js(`!!window.axe`, &here)
	if !here {
		b.do(chromedp.Evaluate(axeJS+"\n;true", nil))
	}
	var found []string
	b.js(`axe.run(document, `+only+`).then(r => r.violations.flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ": " + v.help + " at " + n.target.join(" ") + " (" + (n.any[0]?.message ?? n.failureSummary) + ")")))`, &found)
	for _, f := range found {
		b.t.Errorf("%s: %.400s", what, f)
	}
}

// narrow reports what makes the page wider than a screen of 320 pixels.
func (b *tab) narrow(what string) {
	b.t.Helper()
	var wide string
	b.do(chromedp.EmulateViewport(320, 700))
	b.js(`(() => { const d = document.documentElement; if (d.scrollWidth <= 320) return "";
		const out = [...document.querySelectorAll("main *, header *")].filter(e => e.getBoundingClientRect().right > 320.5 && !e.closest(".scroll, .vh, pre"));
		return d.scrollWidth + " px wide: " + out.slice(0, 4).map(e => e.tagName + "." + e.getAttribute("class")).join(", ") })()`, &wide)
	if wide != "" {
		b.t.Errorf("%s at 320 px: %s", what, wide)
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

// shot keeps a picture of the whole page where -shots asks for it.
func (b *tab) shot(name string, width int64) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	var png []byte
	b.do(chromedp.EmulateViewport(width, 900), chromedp.FullScreenshot(&png, 100), chromedp.EmulateViewport(1280, 900))
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// noScript turns the page's own script off from the next page on.
func (b *tab) noScript() {
	b.t.Helper()
	b.do(emulation.SetScriptExecutionDisabled(true))
}

// upload puts a file into a file field.
func (b *tab) upload(selector, path string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(selector, []string{path}, chromedp.ByQuery))
}

// picture is the top of the page, as wide as the window.
func (b *tab) picture(height float64) []byte {
	b.t.Helper()
	var png []byte
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).WithClip(&page.Viewport{Width: 1280, Height: height, Scale: 1}).Do(ctx)
		return err
	}))
	return png
}
