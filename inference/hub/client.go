package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

var (
	// ErrSource: what is asked for is not a source, not allowed, or not there; the message says which.
	ErrSource = errors.New("the source cannot be used")
	// ErrContent: what came is not what was promised, or too large.
	ErrContent = errors.New("the files are not usable")
	// ErrReach: the other side did not answer, or failed; trying again may help.
	ErrReach = errors.New("the source cannot be reached")
)

func bad(kind error, format string, args ...any) error {
	return fmt.Errorf("hub: %w: %s", kind, fmt.Sprintf(format, args...))
}

// Defaults of a Config.
const (
	DefaultHub      = "https://huggingface.co"
	DefaultMaxBytes = 64 << 30
)

// defaultHosts are where the default hub keeps its files, and the Python index.
var defaultHosts = []string{"huggingface.co", "*.huggingface.co", "*.hf.co", "files.pythonhosted.org"}

// Config is the operator's.
type Config struct {
	Hub      string   // address of the hub or of a mirror of it; "" = DefaultHub
	Hosts    []string // further hosts that files may come from: names, or *.name for all below one
	MaxBytes int64    // that one checkpoint may have; 0 = DefaultMaxBytes
}

// Client fetches. It is safe for concurrent use, but for one folder at a time.
type Client struct {
	hub   *url.URL
	hosts []string
	max   int64
	http  *http.Client
}

// New checks a configuration.
func New(c Config) (*Client, error) {
	if c.Hub == "" {
		c.Hub = DefaultHub
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	u, err := url.Parse(strings.TrimSuffix(c.Hub, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return nil, bad(ErrSource, "the hub's address %q is not like %s", c.Hub, DefaultHub)
	}
	h := &Client{hub: u, hosts: append(append([]string{}, defaultHosts...), c.Hosts...), max: c.MaxBytes}
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	guarded := &net.Dialer{Timeout: 20 * time.Second, Control: public}
	h.http = &http.Client{
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 5 {
				return bad(ErrReach, "it leads on more than five times")
			}
			return h.allowed(r.URL)
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == hostPort(h.hub) {
					return dialer.DialContext(ctx, network, address)
				}
				return guarded.DialContext(ctx, network, address)
			},
			TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
	}
	return h, nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// allowed says whether files may come from an address.
func (c *Client) allowed(u *url.URL) error {
	if u.Scheme == c.hub.Scheme && hostPort(u) == hostPort(c.hub) {
		return nil
	}
	if u.Scheme != "https" || u.User != nil {
		return bad(ErrSource, "%s is not an https address without a name and password", u.Redacted())
	}
	host := strings.ToLower(u.Hostname())
	for _, h := range c.hosts {
		below, all := strings.CutPrefix(h, "*.")
		if host == h || all && strings.HasSuffix(host, "."+below) {
			return nil
		}
	}
	return bad(ErrSource, "files from %s are not allowed; whoever runs this server can add the host", host)
}

// inner are networks that are not of the public Internet beside those that netip knows.
var inner = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// public refuses a connection to a machine that is not on the public Internet; it sees the
// address that a name was resolved to, so that no later answer of a name server matters.
func public(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return bad(ErrSource, "the host has no address")
	}
	ip := to.Addr().Unmap().WithZone("")
	refused := !ip.IsGlobalUnicast() || ip.IsPrivate()
	for _, p := range inner {
		refused = refused || p.Contains(ip)
	}
	if refused {
		return bad(ErrSource, "the host is not on the public Internet")
	}
	return nil
}

// get asks for an address; the caller closes the body. header may be nil.
func (c *Client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, bad(ErrSource, "the address cannot be read")
	}
	if err := c.allowed(u); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, bad(ErrSource, "the address cannot be read")
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", "vitrine")
	a, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var mine *url.Error
		if errors.As(err, &mine) && errors.Is(err, ErrSource) {
			return nil, mine.Err
		}
		return nil, bad(ErrReach, "%s does not answer: %v", u.Host, errors.Unwrap(err))
	}
	switch a.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		return a, nil
	}
	a.Body.Close()
	switch {
	case a.StatusCode == http.StatusNotFound || a.StatusCode == http.StatusGone:
		return nil, bad(ErrSource, "%s has nothing there", u.Host)
	case a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusForbidden:
		return nil, bad(ErrSource, "%s gives it to nobody who has not signed in", u.Host)
	}
	return nil, bad(ErrReach, "%s answers with status %d", u.Host, a.StatusCode)
}
