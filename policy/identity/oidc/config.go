// Package oidc signs people in through an OpenID Connect provider: authorization code
// flow with PKCE (RFC 7636), state and nonce, the issuer of the answer checked
// (RFC 9207), and the provider's groups mapped to our roles.
//
// Reference: OpenID Connect Core 1.0 §3.1; RFC 9700 (best current practice).
package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"vitrine/policy"
)

// ErrConfig: the description of the provider cannot be used; the text says why.
var ErrConfig = errors.New("oidc: the provider's description is not usable")

// Config describes one provider. The JSON form is the file of serve --oidc.
type Config struct {
	Name             string   `json:"name"` // on the sign-in button
	Issuer           string   `json:"issuer"`
	ClientID         string   `json:"client_id"`
	ClientSecretFile string   `json:"client_secret_file,omitempty"` // none: a public client, PKCE alone
	Scopes           []string `json:"scopes,omitempty"`             // beyond openid and profile
	// GroupsClaim is the claim with a person's groups; "" = groups.
	GroupsClaim string `json:"groups_claim,omitempty"`
	// Roles maps a group to the roles of its members. Who is in none of them may not
	// sign in.
	Roles map[string][]string `json:"roles"`

	secret string
}

// maxConfig bounds the file of a description.
const maxConfig = 1 << 16

// ReadConfig reads a description, and the secret from the file that it names. Unknown
// members are refused: a misspelt one must not be a silent default.
//
// Errors: ErrConfig.
func ReadConfig(r io.Reader) (*Config, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("oidc: reading the description: %w", err)
	}
	if len(data) > maxConfig {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrConfig, maxConfig)
	}
	var c Config
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.ClientSecretFile != "" {
		secret, err := os.ReadFile(c.ClientSecretFile)
		if err != nil {
			return nil, fmt.Errorf("%w: the client's secret: %w", ErrConfig, err)
		}
		if c.secret = strings.TrimSpace(string(secret)); c.secret == "" {
			return nil, fmt.Errorf("%w: the file of the client's secret is empty", ErrConfig)
		}
	}
	return &c, nil
}

func (c *Config) check() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("%w: the issuer must be an https address", ErrConfig)
	}
	switch {
	case c.ClientID == "":
		return fmt.Errorf("%w: client_id is missing", ErrConfig)
	case c.Name == "" || len(c.Name) > 64:
		return fmt.Errorf("%w: name is what the sign-in button shows, 1 to 64 bytes", ErrConfig)
	case len(c.Roles) == 0:
		return fmt.Errorf("%w: roles maps no group to a role, so that nobody could sign in", ErrConfig)
	}
	for group, roles := range c.Roles {
		for _, r := range roles {
			if !policy.KnownRole(r) {
				return fmt.Errorf("%w: group %.60q has the unknown role %.40q; use %s", ErrConfig, group, r, strings.Join(policy.Roles, ", "))
			}
		}
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// roles are those of the groups, sorted.
func (c *Config) roles(groups []string) []string {
	var out []string
	for _, g := range groups {
		out = append(out, c.Roles[g]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
