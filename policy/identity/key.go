package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// APIKey returns the caller of an API key. Errors: ErrSession, or a *DelayError
// after wrong keys from one address.
func (s *Service) APIKey(ctx context.Context, key, address string) (Caller, error) {
	from := "k:" + address
	prefix, ok := keyPrefix(key)
	if !ok {
		return Caller{}, ErrSession
	}
	k, err := s.store.KeyByPrefix(ctx, prefix)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Caller{}, sessionError(err)
	}
	now := s.now()
	switch {
	case err != nil || k.Hash != tokenHash(key):
		// Only failures count here: a good key must never wait for others.
		if err := s.delays.begin(from); err != nil {
			return Caller{}, err
		}
		return Caller{}, ErrSession
	case !k.Disabled.IsZero() || !k.Expires.IsZero() && now.After(k.Expires):
		return Caller{}, ErrSession
	}
	if now.Sub(k.Used) > touchEvery {
		_ = s.store.TouchKey(ctx, k.ID, now.UTC()) // "last used" is a hint, no proof
	}
	return Caller{ID: k.ID, Name: k.Name, Roles: k.Roles, Workspace: k.Workspace, Auth: AuthAPIKey}, nil
}

// AddKey makes an API key and returns the whole key, which is stored nowhere.
// expires zero = never. Errors: ErrName.
func (s *Service) AddKey(ctx context.Context, workspace, name string, roles []string, owner string, expires time.Time) (Key, string, error) {
	name, err := checkName(name)
	if err != nil {
		return Key{}, "", err
	}
	if roles, err = checkRoles(roles); err != nil {
		return Key{}, "", err
	}
	now := s.now().UTC()
	if !expires.IsZero() && !expires.After(now) {
		return Key{}, "", fmt.Errorf("%w: the key would be expired already", ErrName)
	}
	secret, prefix := newKey()
	k := Key{ID: "key:" + ulid.Make().String(), Workspace: workspace, Name: name, Prefix: prefix, Hash: tokenHash(secret),
		Roles: roles, Owner: owner, Created: now, Expires: expires.UTC()}
	if expires.IsZero() {
		k.Expires = time.Time{}
	}
	if err := s.store.AddKey(ctx, k); err != nil {
		return Key{}, "", fmt.Errorf("identity: adding a key: %w", err)
	}
	return k, secret, nil
}

// Keys lists the API keys of a workspace, newest first.
func (s *Service) Keys(ctx context.Context, workspace string) ([]Key, error) {
	return s.store.Keys(ctx, workspace)
}

// DisableKey ends an API key at once; ErrNotFound where there is none.
func (s *Service) DisableKey(ctx context.Context, id string) error {
	return s.store.SetKeyDisabled(ctx, id, s.now().UTC())
}
