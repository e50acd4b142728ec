package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// liar is a provider that answers as a test wants: claims of the token and of the
// answer about the person, and the key it signs with.
type liar struct {
	*httptest.Server
	key, signWith *ecdsa.PrivateKey
	named         bool
	claims, info  map[string]any
	challenge     string
	tokenCalls    int
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key, signWith: key}
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"issuer": l.URL, "authorization_endpoint": l.URL + "/authorize", "token_endpoint": l.URL + "/token",
			"jwks_uri": l.URL + "/keys", "userinfo_endpoint": l.URL + "/info", "id_token_signing_alg_values_supported": []string{"ES256"},
			"authorization_response_iss_parameter_supported": l.named})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) { reply(w, l.info) })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		l.tokenCalls++
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != l.challenge {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		reply(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": l.sign(t)})
	})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

func (l *liar) sign(t *testing.T) string {
	if l.signWith == nil {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		body, err := json.Marshal(l.claims)
		if err != nil {
			t.Error(err)
		}
		return head + "." + base64.RawURLEncoding.EncodeToString(body) + "."
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: l.signWith, KeyID: "k"}}, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	body, err := json.Marshal(l.claims)
	if err != nil {
		t.Error(err)
	}
	signed, err := s.Sign(body)
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return text
}

func (l *liar) config() Config {
	return Config{Name: "Liar", Issuer: l.URL, ClientID: "vitrine", GroupsClaim: "groups", Roles: map[string][]string{"staff": {"analyst"}, "chiefs": {"admin", "analyst"}}}
}

// begin starts a flow and tells the provider what a good token of it says.
func (l *liar) begin(t *testing.T, p *Provider) Flow {
	t.Helper()
	address, f, err := p.Begin(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("state") != f.State || q.Get("nonce") != f.Nonce || strings.Contains(address, f.Verifier) || len(f.State) != 43 {
		t.Errorf("%s", address)
	}
	l.challenge = q.Get("code_challenge")
	l.claims = map[string]any{"iss": l.URL, "sub": "s1", "aud": "vitrine", "nonce": f.Nonce, "exp": time.Now().Add(time.Minute).Unix(),
		"iat": time.Now().Unix(), "preferred_username": "ann", "groups": []string{"staff", "chiefs", "strangers"}}
	return f
}

func TestSignIn(t *testing.T) {
	l := newLiar(t)
	p := New(l.config(), "http://localhost/signin/oidc/callback")
	f := l.begin(t, p)
	who, err := p.Finish(context.Background(), f, Answer{State: f.State, Code: "c"})
	if err != nil || who.Issuer != l.URL || who.Subject != "s1" || who.Name != "ann" || !slices.Equal(who.Roles, []string{"admin", "analyst"}) {
		t.Fatal(who, err)
	}
	// Groups that are not in the token are asked for.
	f = l.begin(t, p)
	delete(l.claims, "groups")
	l.info = map[string]any{"sub": "s1", "groups": "staff", "preferred_username": "somebody else"}
	if who, err = p.Finish(context.Background(), f, Answer{State: f.State, Code: "c"}); err != nil || who.Name != "ann" || !slices.Equal(who.Roles, []string{"analyst"}) {
		t.Error(who, err)
	}
}

// TestLies: what a hostile or confused provider, or another site, may send.
func TestLies(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lie  func(l *liar, f *Flow, a *Answer)
		want error
	}{
		"state of another sign-in":    {func(_ *liar, _ *Flow, a *Answer) { a.State = token() }, ErrFlow},
		"no state at all":             {func(_ *liar, f *Flow, a *Answer) { f.State, a.State = "", "" }, ErrFlow},
		"nonce of another sign-in":    {func(l *liar, _ *Flow, _ *Answer) { l.claims["nonce"] = token() }, ErrFlow},
		"no nonce":                    {func(l *liar, _ *Flow, _ *Answer) { delete(l.claims, "nonce") }, ErrFlow},
		"verifier of another sign-in": {func(_ *liar, f *Flow, _ *Answer) { f.Verifier += "x" }, ErrProvider},
		"another issuer answers":      {func(_ *liar, _ *Flow, a *Answer) { a.Issuer = "https://evil.example" }, ErrFlow},
		"a named issuer keeps silent": {func(l *liar, _ *Flow, a *Answer) { l.named, a.Issuer = true, "" }, ErrFlow},
		"token of another issuer":     {func(l *liar, _ *Flow, _ *Answer) { l.claims["iss"] = "https://evil.example" }, ErrProvider},
		"token for another client":    {func(l *liar, _ *Flow, _ *Answer) { l.claims["aud"] = "other" }, ErrProvider},
		"token for several, not us": {func(l *liar, _ *Flow, _ *Answer) {
			l.claims["aud"], l.claims["azp"] = []string{"vitrine", "other"}, "other"
		}, ErrFlow},
		"token past its time":        {func(l *liar, _ *Flow, _ *Answer) { l.claims["exp"] = time.Now().Add(-time.Hour).Unix() }, ErrProvider},
		"token signed by nobody":     {func(l *liar, _ *Flow, _ *Answer) { l.signWith = nil }, ErrProvider},
		"token signed by a stranger": {func(l *liar, _ *Flow, _ *Answer) { l.signWith = other }, ErrProvider},
		"answer about somebody else": {func(l *liar, _ *Flow, _ *Answer) {
			delete(l.claims, "groups")
			l.info = map[string]any{"sub": "s2", "groups": []string{"chiefs"}}
		}, ErrFlow},
		"the person went back":      {func(_ *liar, _ *Flow, a *Answer) { a.Error = "access_denied" }, ErrRefused},
		"the provider is not there": {func(l *liar, _ *Flow, _ *Answer) { l.Close() }, ErrProvider},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiar(t)
			if name == "a named issuer keeps silent" {
				l.named = true
			}
			p := New(l.config(), "http://localhost/signin/oidc/callback")
			f := l.begin(t, p)
			a := Answer{State: f.State, Code: "c"}
			c.lie(l, &f, &a)
			if who, err := p.Finish(context.Background(), f, a); !errors.Is(err, c.want) || who.Subject != "" {
				t.Errorf("%+v, %v", who, err)
			}
			if c.want == ErrFlow && strings.Contains(name, "state") && l.tokenCalls > 0 {
				t.Error("a code was sent on before its state was checked")
			}
		})
	}
}

func TestDescriptions(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"name": "Campus", "issuer": "https://id.example.org", "client_id": "v", "client_secret_file": secret, "roles": map[string]any{"staff": []string{"analyst"}}}
	read := func(change func(map[string]any)) (*Config, error) {
		m := maps.Clone(good)
		change(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return ReadConfig(strings.NewReader(string(text)))
	}
	if c, err := read(func(map[string]any) {}); err != nil || c.secret != "s3cret" || c.GroupsClaim != "groups" {
		t.Fatal(c, err)
	}
	for name, change := range map[string]func(map[string]any){
		"plain http":         func(m map[string]any) { m["issuer"] = "http://id.example.org" },
		"no address":         func(m map[string]any) { m["issuer"] = "id.example.org" },
		"with a query":       func(m map[string]any) { m["issuer"] = "https://id.example.org?x=1" },
		"no client":          func(m map[string]any) { delete(m, "client_id") },
		"no name":            func(m map[string]any) { delete(m, "name") },
		"no roles":           func(m map[string]any) { delete(m, "roles") },
		"unknown role":       func(m map[string]any) { m["roles"] = map[string]any{"staff": []string{"root"}} },
		"misspelt member":    func(m map[string]any) { m["client"] = "x" },
		"secret not there":   func(m map[string]any) { m["client_secret_file"] = secret + "x" },
		"longer than a file": func(m map[string]any) { m["name"] = strings.Repeat("x", maxConfig) },
	} {
		if _, err := read(change); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
