// Package web serves the console and the API. It maps requests to the use cases
// of web/app and their results to pages and JSON; it holds no rule of its own.
//
// Every route stands beside its handler, in page_<noun>_<verb>.go or
// api_<noun>.go, and registers itself with the access it needs (route.go).
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"vitrine/static"
	"vitrine/web/app"
)

// Config says how the server is reached.
type Config struct {
	App *app.App
	// URL is the address people use, for example https://vitrine.example.org.
	// Empty: http on the loopback address it listens on.
	URL string
	// TrustedProxies may set X-Forwarded-For.
	TrustedProxies []netip.Prefix
	// Log gets what failed inside; never input, never names. nil discards it.
	Log *slog.Logger
	// Demo serves the sign-in links of the demo accounts.
	Demo bool
}

// Server is the HTTP side of an installation.
type Server struct {
	app   *app.App
	cfg   Config
	base  *url.URL // nil: plain http on loopback
	echo  *echo.Echo
	cross *http.CrossOriginProtection
}

// New builds the server; it listens on nothing yet.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{app: cfg.App, cfg: cfg, cross: http.NewCrossOriginProtection()}
	if cfg.URL != "" {
		u, err := url.Parse(cfg.URL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || (u.Path != "" && u.Path != "/") {
			return nil, fmt.Errorf("web: the address %q is not of the form https://host[:port]", cfg.URL)
		}
		s.base = u
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = s.extractor()
	e.Pre(s.wrap)
	e.Use(s.recover, s.harden, s.identify, s.prefer)
	e.GET(static.Prefix+"*", echo.WrapHandler(static.Handler()))
	s.mount(e)
	s.echo = e
	return s, nil
}

// Handler is the server as a plain http.Handler.
func (s *Server) Handler() http.Handler { return s.echo }

func (s *Server) secure() bool { return s.base != nil && s.base.Scheme == "https" }

func (s *Server) extractor() echo.IPExtractor {
	if len(s.cfg.TrustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	opts := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range s.cfg.TrustedProxies {
		_, n, err := net.ParseCIDR(p.String())
		if err == nil {
			opts = append(opts, echo.TrustIPRange(n))
		}
	}
	return echo.ExtractIPFromXFFHeader(opts...)
}

// hostAllowed guards against DNS rebinding: a page of another name must not be
// able to talk to a server that listens on loopback only, nor under a name that
// the operator did not give.
func (s *Server) hostAllowed(host string) bool {
	if s.base != nil && strings.EqualFold(host, s.base.Host) {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}

// Version of the program.
const Version = "0.1.0"

// Timeouts of a connection. Inference has its own limit inside the use cases.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 20 * time.Second
	maxHeaderBytes    = 32 << 10
)

// Serve answers on l with h, which is Handler or Local of a Server, until ctx
// ends, then finishes the requests under way. With a certificate it speaks TLS.
func Serve(ctx context.Context, l net.Listener, h http.Handler, cert, key string) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	done := make(chan error, 1)
	go func() {
		if cert != "" {
			done <- srv.ServeTLS(l, cert, key)
			return
		}
		done <- srv.Serve(l)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		return fmt.Errorf("web: stopping: %w", err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
