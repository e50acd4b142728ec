package identity

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// InvitationLife is how long a link to choose a password works.
const InvitationLife = 72 * time.Hour

// ErrInvitation: the link was used, replaced or withdrawn, or is too old.
var ErrInvitation = errors.New("identity: this invitation does not work any more; ask for a new one")

// Invite returns a fresh link token with which the user of an account chooses their own
// password, once. It ends the one before. The password that stands, if any, works until
// then. Errors: ErrNotFound for an account that is not there or closed.
func (s *Service) Invite(ctx context.Context, userID string) (token string, err error) {
	u, err := s.store.User(ctx, userID)
	if err != nil {
		return "", err
	}
	if !u.Disabled.IsZero() {
		return "", ErrNotFound
	}
	token = newToken()
	if err := s.store.SetInvitation(ctx, userID, tokenHash(token), s.now().UTC().Add(InvitationLife)); err != nil {
		return "", fmt.Errorf("identity: keeping an invitation: %w", err)
	}
	return token, nil
}

// Invited returns whom a link token invites. Errors: ErrInvitation.
func (s *Service) Invited(ctx context.Context, token string) (User, error) {
	id, expires, err := s.store.Invitation(ctx, tokenHash(token))
	if errors.Is(err, ErrNotFound) || err == nil && s.now().After(expires) {
		return User{}, ErrInvitation
	}
	if err != nil {
		return User{}, fmt.Errorf("identity: finding an invitation: %w", err)
	}
	u, err := s.store.User(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !u.Disabled.IsZero() {
		return User{}, ErrInvitation
	}
	return u, err
}

// AcceptInvitation sets the invited user's password, spends the link and ends the
// sessions that the account had; hash comes from HashPassword. Of two at once one wins.
// Errors: ErrInvitation.
func (s *Service) AcceptInvitation(ctx context.Context, token, hash string) (User, error) {
	u, err := s.Invited(ctx, token)
	if err != nil {
		return User{}, err
	}
	if err := s.store.DeleteInvitation(ctx, tokenHash(token)); err != nil {
		if errors.Is(err, ErrNotFound) {
			return User{}, ErrInvitation
		}
		return User{}, err
	}
	return u, s.SetPassword(ctx, u.ID, hash, "")
}
