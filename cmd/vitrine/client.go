package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vitrine/inference/hub"
	"vitrine/views"
	"vitrine/web"
	"vitrine/web/app"
	"vitrine/web/db"
)

// target says where a command sends its requests: the data folder (opened here,
// or through the socket of the server that has it open), or a server by address
// and API key. Every command is a client of the same API, so that what it does
// is decided and recorded like everything else.
type target struct {
	data, database, rootKey, server, key string
	threads                              int
}

func (t *target) flags(fs *flag.FlagSet) {
	fs.StringVar(&t.data, "data", "", "data `folder` (default: the user's data folder)")
	fs.StringVar(&t.database, "database", "", databaseUsage)
	fs.StringVar(&t.rootKey, "root-key", "", "`file` of the root key (default: DIR/keys/root.key)")
	fs.StringVar(&t.server, "server", "", "`URL` of a running server, with --key")
	fs.StringVar(&t.key, "key", "", "API key for --server")
	fs.IntVar(&t.threads, "threads", 0, "processor threads of a model run (default: all)")
}

// client talks to the API.
type client struct {
	base  string
	key   string
	http  *http.Client
	close func() error
}

// socketName is the socket of a running server in its data folder.
const socketName = "vitrine.sock"

// The address of a database may hold a password, which a command line shows to everybody
// on the machine: the variable does not.
const (
	databaseVariable = "VITRINE_DATABASE"
	databaseUsage    = "`address` of a PostgreSQL database, postgres://user@host/name (default: $" + databaseVariable + ", or SQLite in the data folder)"
)

// databaseAddress is what a flag says, or else the variable.
func databaseAddress(flag string) string {
	if flag != "" {
		return flag
	}
	return os.Getenv(databaseVariable)
}

// defaultData is the user's data folder.
func defaultData() (string, error) {
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "vitrine"), nil
	}
	d, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's data folder: %w", err)
	}
	if home, err := os.UserHomeDir(); err == nil && d == filepath.Join(home, ".config") {
		d = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(d, "vitrine"), nil
}

// open connects a command to its target. The caller calls close, which for a
// folder opened here sequences the outbox and signs a checkpoint.
func (t *target) open(ctx context.Context) (*client, error) {
	if t.server != "" {
		u, err := url.Parse(t.server)
		if err != nil || u.Host == "" {
			return nil, usagef("--server %q is not an address like https://host", t.server)
		}
		return &client{base: strings.TrimSuffix(t.server, "/"), key: t.key, http: &http.Client{}, close: func() error { return nil }}, nil
	}
	dir := t.data
	if dir == "" {
		d, err := defaultData()
		if err != nil {
			return nil, err
		}
		dir = d
	}
	a, err := openApp(ctx, app.Config{Data: dir, Database: databaseAddress(t.database), RootKey: t.rootKey, Threads: t.threads, OneShot: true}, nil)
	if errors.Is(err, db.ErrLocked) {
		if c, ok := dialSocket(filepath.Join(dir, socketName)); ok {
			return c, nil
		}
	}
	if err != nil {
		return nil, err
	}
	s, err := web.New(web.Config{App: a})
	if err != nil {
		return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
	}
	return &client{
		base: "http://localhost", http: &http.Client{Transport: inProcess{s.Local()}},
		close: func() error { return a.Close(context.WithoutCancel(ctx)) },
	}, nil
}

// openApp opens a data folder with everything wired.
func openApp(ctx context.Context, c app.Config, log *slog.Logger) (*app.App, error) {
	c.Logger, c.Render, c.Print = log, views.WriteReport, views.PrintReport
	c.Sources = modelSources()
	a, err := app.New(ctx, c)
	for _, known := range []struct {
		err  error
		hint string
	}{
		{db.ErrLocked, "one server a folder: use the one that runs, or give another folder by --data"},
		{db.ErrNewerSchema, "use the version of vitrine that wrote it, or a later one"},
		{db.ErrUnavailable, "--database, or " + databaseVariable + ", takes an address like postgres://user@host:5432/name"},
		{db.ErrDiskFull, "make room on the disk and try again"},
	} {
		if errors.Is(err, known.err) {
			return nil, &withHint{err, known.hint}
		}
	}
	return a, err
}

// The variables that say where models may be fetched from: the address of a mirror of the
// hub, which may be within the own network, and further hosts, with commas between them.
const (
	hubVariable   = "VITRINE_HUB"
	hostsVariable = "VITRINE_MODEL_HOSTS"
)

func modelSources() hub.Config {
	c := hub.Config{Hub: os.Getenv(hubVariable)}
	for h := range strings.SplitSeq(os.Getenv(hostsVariable), ",") {
		if h = strings.TrimSpace(h); h != "" {
			c.Hosts = append(c.Hosts, strings.ToLower(h))
		}
	}
	return c
}

func dialSocket(path string) (*client, bool) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	conn, err := dial(context.Background(), "", "")
	if err != nil {
		return nil, false
	}
	conn.Close()
	return &client{base: "http://localhost", http: &http.Client{Transport: &http.Transport{DialContext: dial}}, close: func() error { return nil }}, true
}

// inProcess serves a request by a handler of this process; the reply is read
// while it is written, so that an export does not pass through memory whole.
type inProcess struct{ h http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, started: make(chan int, 1)}
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		defer func() {
			if p := recover(); p != nil {
				w.WriteHeader(http.StatusInternalServerError)
				pw.CloseWithError(fmt.Errorf("panic: %v", p))
			}
		}()
		t.h.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		pw.Close()
	}()
	status := <-w.started
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Body: pr, Request: r, ContentLength: -1}, nil
}

type pipeWriter struct {
	header  http.Header
	body    *io.PipeWriter
	started chan int
	wrote   bool
}

func (w *pipeWriter) Header() http.Header { return w.header }
func (w *pipeWriter) WriteHeader(status int) {
	if !w.wrote {
		w.wrote = true
		w.started <- status
	}
}
func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// apiError is a problem document that came back.
type apiError struct{ web.Problem }

func (e *apiError) Error() string { return e.Detail }
func (e *apiError) Hint() string  { return e.Problem.Hint }
func (e *apiError) Refused() bool { return e.Code == "policy_denied" }

// do sends body as JSON and decodes the reply into reply (nil: discards it).
func (c *client) do(ctx context.Context, method, path string, body, reply any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if reply == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(reply); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}

// send is do for a reply that is read by the caller.
func (c *client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, r)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &withHint{err, "is the server running, and is the address right?"}
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	e := &apiError{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&e.Problem); err != nil || e.Detail == "" {
		e.Detail = "the server answered " + resp.Status
	}
	return nil, e
}

// receiptWait is how long the log has to include an entry (governance rules: 5 s).
const receiptWait = 6 * time.Second

// included waits for an event to be in the log and returns its full receipt.
func (c *client) included(ctx context.Context, r app.ReceiptView) (app.ReceiptView, error) {
	end := time.Now().Add(receiptWait)
	for r.Status != "included" && time.Now().Before(end) {
		var now app.ReceiptView
		if err := c.do(ctx, http.MethodGet, "/api/v1/audit/receipts/"+r.Event, nil, &now); err != nil {
			return r, err
		}
		if now.Status == "included" {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return r, nil
}

// printJSON writes exactly one JSON value.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
