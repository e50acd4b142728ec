package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// AuthOIDC: an identity provider signed the person in.
const AuthOIDC = "oidc"

// ErrNoRole: the provider knows the person, but no group of theirs has a role here.
var ErrNoRole = errors.New("identity: no group of this person has a role here")

// External returns the account of a provider's person, and whether it is a new one. An
// account is found by issuer and subject alone, never by its name: who may choose a name
// at the provider must not get somebody else's account. Roles are those that the
// provider's groups give now.
//
// Errors: ErrNoRole; ErrCredentials for a disabled account; ErrLastAdmin where the
// groups would take the last administrator's role.
func (s *Service) External(ctx context.Context, workspace, issuer, subject, name string, roles []string) (u User, added bool, err error) {
	if len(roles) == 0 {
		return User{}, false, ErrNoRole
	}
	u, err = s.store.UserByExternal(ctx, workspace, issuer, subject)
	if errors.Is(err, ErrNotFound) {
		u, err = s.addExternal(ctx, workspace, issuer, subject, name, roles)
		return u, err == nil, err
	}
	switch {
	case err != nil:
		return User{}, false, fmt.Errorf("identity: finding the account: %w", err)
	case !u.Disabled.IsZero():
		return User{}, false, ErrCredentials
	}
	if !slices.Equal(u.Roles, roles) {
		if err := s.SetRoles(ctx, u.ID, roles); err != nil {
			return User{}, false, err
		}
		u, err = s.store.User(ctx, u.ID)
	}
	return u, false, err
}

// addExternal makes the account under the provider's name, or, where it is taken, under
// that name and a number.
func (s *Service) addExternal(ctx context.Context, workspace, issuer, subject, name string, roles []string) (User, error) {
	name = displayName(name)
	for n := 1; n < 100; n++ {
		try := name
		if n > 1 {
			try = fmt.Sprintf("%s %d", name, n)
		}
		if _, err := s.store.UserByName(ctx, workspace, try); err == nil {
			continue
		} else if !errors.Is(err, ErrNotFound) {
			return User{}, fmt.Errorf("identity: looking for the name: %w", err)
		}
		u, err := s.AddUser(ctx, workspace, try, "", roles)
		if err != nil {
			return User{}, err
		}
		return u, s.store.LinkExternal(ctx, workspace, issuer, subject, u.ID, s.now().UTC())
	}
	return User{}, ErrExists
}

// displayName makes a name that checkName takes of what a provider sent.
func displayName(name string) string {
	clean := strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == ':' || r == '/' || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name))
	if runes := []rune(clean); len(runes) > 60 {
		clean = strings.TrimSpace(string(runes[:60]))
	}
	if clean == "" {
		return "guest"
	}
	return clean
}
