package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"

	"vitrine/audit"
	"vitrine/policy/identity/oidc"
	"vitrine/web"
	"vitrine/web/app"
)

func init() {
	register(command{name: "serve", summary: "run the server on a data folder", run: serve})
}

func serve(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "serve", "[--addr HOST:PORT] [--data DIR] [--database postgres://…] [--url https://…] [--tls-cert F --tls-key F] [--trusted-proxy CIDR] [--root-key F] [--oidc F] [--trust F [--witness NAME]]")
	var (
		addr      = fs.String("addr", "127.0.0.1:8080", "`address` to listen on")
		data      = fs.String("data", "", "data `folder` (default: the user's data folder)")
		database  = fs.String("database", "", databaseUsage)
		public    = fs.String("url", "", "the `address` people use, https://host")
		cert      = fs.String("tls-cert", "", "certificate `file`")
		certKey   = fs.String("tls-key", "", "private key `file` of the certificate")
		rootKey   = fs.String("root-key", "", "`file` of the root key (default: DIR/keys/root.key)")
		provider  = fs.String("oidc", "", "`file` that describes the identity provider people may sign in through")
		restored  = fs.Bool("accept-restore", false, "go on with a database older than the last signed checkpoint; the loss becomes a log entry")
		trust     = fs.String("trust", "", "`file` of a trust policy (C2SP tlog-policy): its witnesses with an address cosign the root log")
		name      = fs.String("witness", "", "be a witness of this `name`, at URL/witness, for the logs of --trust")
		threads   = fs.Int("threads", 0, "processor threads of a model run (default: all)")
		proxies   list
		proxyNets []netip.Prefix
	)
	fs.Var(&proxies, "trusted-proxy", "`CIDR` whose X-Forwarded-For counts; may be given several times")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	if (*cert == "") != (*certKey == "") {
		return usagef("--tls-cert and --tls-key belong together")
	}
	policy, err := trustFile(*trust)
	if err != nil {
		return err
	}
	signIn, err := providerFile(*provider)
	if err != nil {
		return err
	}
	if *name != "" && policy == nil {
		return usagef("--witness needs --trust, which names the logs to cosign")
	}
	for _, p := range proxies {
		n, err := netip.ParsePrefix(p)
		if err != nil {
			return usagef("--trusted-proxy %q is not a network like 10.0.0.0/8", p)
		}
		proxyNets = append(proxyNets, n)
	}
	*database = databaseAddress(*database)
	dir := *data
	if dir == "" {
		if dir, err = defaultData(); err != nil {
			return err
		}
	}
	l, err := listen(*addr)
	if err != nil {
		return err
	}
	defer l.Close()
	if *public == "" && !loopback(l.Addr()) {
		return usagef("%s is not a loopback address: give --url https://NAME, the address people use", *addr)
	}
	log := slog.New(slog.NewJSONHandler(e.stderr, nil))
	base := *public
	if base == "" {
		base = "http://" + l.Addr().String()
	}
	a, err := openApp(ctx, app.Config{Data: dir, Database: *database, URL: base, RootKey: *rootKey, Threads: *threads, AcceptRestore: *restored, Trust: policy, WitnessName: *name, OIDC: signIn}, log)
	if err != nil {
		return err
	}
	if *database != "" {
		dir = ""
	}
	err = announce(ctx, e, a, base)
	if err == nil {
		err = runServer(ctx, a, web.Config{App: a, URL: *public, TrustedProxies: proxyNets, Log: log}, l, dir, *cert, *certKey)
	}
	return errors.Join(err, a.Close(context.WithoutCancel(ctx)))
}

// announce prints the set-up link while there is no administrator, then the
// address.
func announce(ctx context.Context, e *env, a *app.App, base string) error {
	token, err := a.SetupToken(ctx)
	if err != nil {
		return err
	}
	if key := a.WitnessKey(); key != "" {
		fmt.Fprintf(e.stdout, "witness: %s\n", key)
	}
	if token != "" {
		fmt.Fprintf(e.stderr, "no administrator yet; open this link within 30 minutes (it works once): %s/setup?token=%s\n", base, token)
	}
	fmt.Fprintf(e.stdout, "ready: %s\n", base)
	return nil
}

// trustFile reads a trust policy; nil without a name.
func trustFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the trust policy: %w", err)
	}
	if _, err := audit.ParseTrust(data); err != nil {
		return nil, &withHint{err, "its form is that of c2sp.org/tlog-policy"}
	}
	return data, nil
}

// providerFile reads the description of an identity provider; nil without a name.
func providerFile(path string) (*oidc.Config, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the identity provider: %w", err)
	}
	defer f.Close()
	c, err := oidc.ReadConfig(f)
	if err != nil {
		return nil, &withHint{err, `its form is {"name": "…", "issuer": "https://…", "client_id": "…", "client_secret_file": "…", "roles": {"GROUP": ["analyst"]}}`}
	}
	return c, nil
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &withHint{fmt.Errorf("listening on %s: %w", addr, err), "is another server running there? choose another --addr, 127.0.0.1:0 for any free port"}
	}
	return l, nil
}

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// runServer serves the network address, and the command line of the same machine through
// a socket in the data folder that only its owner can open. With dir "" there is no
// socket: on PostgreSQL the command line opens the database itself.
func runServer(ctx context.Context, a *app.App, cfg web.Config, l net.Listener, dir, cert, key string) error {
	s, err := web.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 2)
	start := func(l net.Listener, h http.Handler, cert, key string) {
		go func() {
			done <- web.Serve(ctx, l, h, cert, key)
			stop()
		}()
	}
	var local net.Listener
	if dir != "" {
		if local, err = localSocket(filepath.Join(dir, socketName)); err != nil {
			return err
		}
		defer local.Close()
	}
	start(l, s.Handler(), cert, key)
	if local == nil {
		return <-done
	}
	start(local, s.Local(), "", "")
	return errors.Join(<-done, <-done)
}

// localSocket listens on a fresh socket with mode 0600. The data folder is
// locked by this process, so an old socket there belongs to nobody.
func localSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the data folder: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("closing the socket to others: %w", err)
	}
	return l, nil
}
