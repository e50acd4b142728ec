package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Errors of a sign-in.
var (
	// ErrFlow: the answer does not belong to a sign-in that this browser began.
	ErrFlow = errors.New("oidc: the answer does not belong to this sign-in")
	// ErrProvider: the provider cannot be reached or gave no usable answer.
	ErrProvider = errors.New("oidc: the identity provider gave no usable answer")
	// ErrRefused: the provider said no, for example because the person went back.
	ErrRefused = errors.New("oidc: the identity provider did not sign the person in")
)

// patience bounds each call to the provider.
const patience = 10 * time.Second

// Provider is a provider under one description. It is found when somebody signs in, not
// before: one that is down stops nobody who signs in otherwise. Safe for concurrent use.
type Provider struct {
	cfg      Config
	redirect string
	client   *http.Client

	mu    sync.Mutex
	found *oidc.Provider
	named bool // it promises to name itself in its answers (RFC 9207)
}

// New makes a provider whose answers come back to the address redirect.
func New(c Config, redirect string) *Provider {
	return &Provider{cfg: c, redirect: redirect, client: &http.Client{Timeout: patience}}
}

// Name is what the sign-in button shows.
func (p *Provider) Name() string { return p.cfg.Name }

// Flow is one sign-in under way. It belongs to one browser, which keeps it in a cookie
// that no script and no other site can read.
type Flow struct{ State, Nonce, Verifier string }

// Person is who the provider says signed in. Issuer and Subject together are theirs
// for ever; Name is for display only.
type Person struct {
	Issuer, Subject, Name string
	Roles                 []string
}

func (p *Provider) find(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// The provider outlives this request: it fetches the keys of later ones.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	var more struct {
		Named bool `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	p.found, p.named = found, more.Named
	return found, nil
}

func (p *Provider) oauth(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.secret, Endpoint: found.Endpoint(), RedirectURL: p.redirect,
		Scopes: append([]string{oidc.ScopeOpenID, "profile"}, p.cfg.Scopes...)}
}

// Begin returns the provider's address to send the browser to. again asks the provider
// to make the person prove who they are, even where they are signed in there.
func (p *Provider) Begin(ctx context.Context, again bool) (address string, f Flow, err error) {
	found, err := p.find(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	f = Flow{State: token(), Nonce: token(), Verifier: oauth2.GenerateVerifier()}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return p.oauth(found).AuthCodeURL(f.State, options...), f, nil
}

// Answer is what the provider sent the browser back with.
type Answer struct{ State, Code, Issuer, Error string }

// Finish checks an answer against the flow it must belong to, and returns who signed in.
//
// Errors: ErrFlow, ErrRefused, ErrProvider.
func (p *Provider) Finish(ctx context.Context, f Flow, a Answer) (Person, error) {
	if f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(a.State)) != 1 {
		return Person{}, ErrFlow
	}
	found, err := p.find(ctx)
	if err != nil {
		return Person{}, err
	}
	if a.Issuer != "" && a.Issuer != p.cfg.Issuer || a.Issuer == "" && p.named {
		return Person{}, fmt.Errorf("%w: another provider answered", ErrFlow)
	}
	if a.Error != "" {
		return Person{}, ErrRefused
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.oauth(found).Exchange(ctx, a.Code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Person{}, fmt.Errorf("%w: exchanging the code: %w", ErrProvider, err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Person{}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return Person{}, fmt.Errorf("%w: the nonce is not ours", ErrFlow)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return Person{}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if len(id.Audience) > 1 && claims["azp"] != p.cfg.ClientID {
		return Person{}, fmt.Errorf("%w: the token was made for another client", ErrFlow)
	}
	if claims[p.cfg.GroupsClaim] == nil || claims["preferred_username"] == nil && claims["name"] == nil {
		if err := p.ask(ctx, found, tokens, id.Subject, claims); err != nil {
			return Person{}, err
		}
	}
	return Person{Issuer: id.Issuer, Subject: id.Subject, Name: name(claims), Roles: p.cfg.roles(list(claims[p.cfg.GroupsClaim]))}, nil
}

// ask adds what the provider says beyond the token, which wins.
func (p *Provider) ask(ctx context.Context, found *oidc.Provider, tokens *oauth2.Token, subject string, claims map[string]any) error {
	if found.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return fmt.Errorf("%w: asking about the person: %w", ErrProvider, err)
	}
	if info.Subject != subject { // OpenID Connect Core §5.3.2
		return fmt.Errorf("%w: the answer is about another person", ErrFlow)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: %w", ErrProvider, err)
	}
	for k, v := range more {
		if _, known := claims[k]; !known {
			claims[k] = v
		}
	}
	return nil
}

func name(claims map[string]any) string {
	for _, k := range []string{"preferred_username", "name", "nickname"} {
		if s, _ := claims[k].(string); s != "" {
			return s
		}
	}
	return ""
}

// list reads a claim that is a list of texts, or one text.
func list(claim any) (out []string) {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func token() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
