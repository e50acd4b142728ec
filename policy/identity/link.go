package identity

import (
	"context"
	"crypto/subtle"
	"errors"

	"vitrine/policy"
)

// SetupToken returns a fresh token for the one-time setup link and ends the one
// before; "" once an administrator exists.
func (s *Service) SetupToken(ctx context.Context) (string, error) {
	n, err := s.store.CountAdmins(ctx, "")
	if err != nil || n > 0 {
		return "", err
	}
	token := newToken()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setup = setupLink{tokenHash(token), s.now().Add(setupLife)}
	return token, nil
}

// SetupValid reports whether a setup token still works.
func (s *Service) SetupValid(ctx context.Context, token string) bool {
	s.mu.Lock()
	fits := s.setupFits(token)
	s.mu.Unlock()
	if !fits {
		return false
	}
	n, err := s.store.CountAdmins(ctx, "")
	return err == nil && n == 0
}

func (s *Service) setupFits(token string) bool {
	return s.setup.hash != "" && s.now().Before(s.setup.expires) &&
		subtle.ConstantTimeCompare([]byte(s.setup.hash), []byte(tokenHash(token))) == 1
}

// Setup makes the first administrator; hash comes from HashPassword. The link
// is spent at the first try that gets as far as a valid name, also when two
// come at once. Errors: ErrSetup, ErrName.
func (s *Service) Setup(ctx context.Context, token, workspace, name, hash string) (User, error) {
	if _, err := checkName(name); err != nil {
		return User{}, err
	}
	s.mu.Lock()
	link := s.setup
	fits := s.setupFits(token)
	if fits {
		s.setup = setupLink{}
	}
	s.mu.Unlock()
	if !fits {
		return User{}, ErrSetup
	}
	n, err := s.store.CountAdmins(ctx, "")
	if err == nil && n > 0 {
		return User{}, ErrSetup
	}
	var u User
	if err == nil {
		u, err = s.AddUser(ctx, workspace, name, hash, []string{policy.Admin})
	}
	if err != nil && !errors.Is(err, ErrSetup) {
		// Nothing was made (a full disk, a taken name): the person may try again.
		s.mu.Lock()
		if s.setup.hash == "" {
			s.setup = link
		}
		s.mu.Unlock()
	}
	return u, err
}

// DemoLink makes a sign-in token for a user that works while the process lives.
func (s *Service) DemoLink(userID string) string {
	token := newToken()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.demo[tokenHash(token)] = userID
	return token
}

// DemoUser returns the user of a demo token. Errors: ErrCredentials, a
// *DelayError.
func (s *Service) DemoUser(ctx context.Context, token, address string) (User, error) {
	s.mu.Lock()
	id, ok := s.demo[tokenHash(token)]
	s.mu.Unlock()
	if !ok {
		if err := s.delays.begin("d:" + address); err != nil {
			return User{}, err
		}
		return User{}, ErrCredentials
	}
	u, err := s.store.User(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !u.Disabled.IsZero() {
		return User{}, ErrCredentials
	}
	return u, err
}
