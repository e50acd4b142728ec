// Package webtest looks at the console in a real browser: one server in this
// process, seeded like the demo, and one headless Chromium for all tests. A
// machine without Chromium fails them: a page that nobody looked at is not proven.
package webtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vitrine/views"
	"vitrine/web"
	"vitrine/web/app"
)

var (
	update = flag.Bool("update", false, "write .github/prediction.png anew")
	shots  = flag.String("shots", "", "write a picture of every page to this `folder`, for people to look at")
)

// console is what all tests share. Nothing in it changes after TestMain, except
// that tests add entries to its log.
var console struct {
	err    error // why it did not start
	base   string
	app    *app.App
	links  map[string]string // role → sign-in address
	chrome context.Context
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vitrine-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	stop, err := start(dir)
	console.err = err
	code := m.Run()
	if err := errors.Join(stop(), os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, "webtest: closing:", err)
		return 1
	}
	return code
}

// start opens the seeded console and the browser; stop ends what was started,
// whether or not there was an error.
func start(dir string) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var ends []func() error
	stop = func() error {
		cancel()
		var errs []error
		for i := len(ends) - 1; i >= 0; i-- {
			errs = append(errs, ends[i]())
		}
		return errors.Join(errs...)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return stop, err
	}
	console.base = "http://" + l.Addr().String()
	console.app, err = app.New(ctx, app.Config{Data: dir, URL: console.base, Render: views.WriteReport})
	if err != nil {
		return stop, errors.Join(err, l.Close())
	}
	ends = append(ends, func() error { return console.app.Close(context.Background()) })
	accounts, err := console.app.SeedDemo(ctx)
	if err != nil {
		return stop, errors.Join(err, l.Close())
	}
	console.links = map[string]string{}
	for _, a := range accounts {
		console.links[a.Role] = console.base + "/demo?token=" + a.Token
	}
	s, err := web.New(web.Config{App: console.app, Demo: true})
	if err != nil {
		return stop, errors.Join(err, l.Close())
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, l, s.Handler(), "", "") }()
	ends = append(ends, func() error { return <-served })
	end, err := startChromium()
	ends = append(ends, end)
	return stop, err
}

// chromiumFlags keep the browser to itself: no first-run pages, no updates, no
// traffic of its own.
var chromiumFlags = []string{"disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"}

func startChromium() (end func() error, err error) {
	end = func() error { return nil }
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return end, errors.New("the browser tests need Chromium in the path and found none: install it (Debian: apt-get install chromium)")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute))
	for _, f := range chromiumFlags {
		opts = append(opts, chromedp.Flag(f, true))
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	chrome, cancel := chromedp.NewContext(alloc)
	console.chrome = chrome
	end = func() error { cancel(); cancelAlloc(); return nil }
	if err := chromedp.Run(chrome); err != nil {
		return end, fmt.Errorf("starting %s: %w", path, err)
	}
	return end, nil
}
