package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// Factor is a user's authenticator app. Sealed is its secret as the caller of this
// package encrypted it: what is stored opens nowhere else.
type Factor struct {
	UserID    string
	Sealed    []byte
	Created   time.Time
	Confirmed time.Time // zero: set up, but no code of it was seen yet
	Step      int64     // the last step whose code was taken; older and equal ones are refused
	Recovery  int       // recovery codes left; only read
}

// pendingLife is how long a correct password waits for its second factor.
const pendingLife = 5 * time.Minute

// authPending marks a session that is none yet: the password was right, the code is due.
const authPending = "second-factor-pending"

// ErrCode: the one-time or recovery code is wrong, used, or too old.
var ErrCode = errors.New("identity: the code is wrong, used already, or too old")

// Factor returns a user's second factor; ErrNotFound where none was set up.
func (s *Service) Factor(ctx context.Context, userID string) (Factor, error) {
	return s.store.Factor(ctx, userID)
}

// HasFactor says whether signing in asks this user for a code.
func (s *Service) HasFactor(ctx context.Context, userID string) (bool, error) {
	f, err := s.store.Factor(ctx, userID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return !f.Confirmed.IsZero(), err
}

// EnrolFactor keeps a new secret, which does nothing before it is confirmed. It
// replaces one that never was. Errors: ErrExists where a confirmed one stands.
func (s *Service) EnrolFactor(ctx context.Context, userID string, sealed []byte) error {
	has, err := s.HasFactor(ctx, userID)
	if err != nil {
		return err
	}
	if has {
		return ErrExists
	}
	return s.store.SetFactor(ctx, Factor{UserID: userID, Sealed: sealed, Created: s.now().UTC()}, nil)
}

// ConfirmFactor turns the factor on with a first code of it, and returns the recovery
// codes, which are stored nowhere. Errors: ErrCode, ErrNotFound, ErrExists.
func (s *Service) ConfirmFactor(ctx context.Context, userID string, secret []byte, code string) ([]string, error) {
	f, err := s.store.Factor(ctx, userID)
	if err != nil {
		return nil, err
	}
	if !f.Confirmed.IsZero() {
		return nil, ErrExists
	}
	step, ok := matchingStep(secret, typed(code), s.now())
	if !ok {
		return nil, ErrCode
	}
	codes, hashes := newRecoveryCodes()
	f.Confirmed, f.Step = s.now().UTC(), step
	return codes, s.store.SetFactor(ctx, f, hashes)
}

// CheckFactor takes a one-time or a recovery code, each once, and says which it was:
// "totp" or "recovery". Wrong ones are delayed like wrong passwords. Errors: ErrCode, a
// *DelayError, ErrNotFound.
func (s *Service) CheckFactor(ctx context.Context, userID string, secret []byte, code, address string) (kind string, err error) {
	account, from := "a:factor/"+userID, "f:"+address
	if err := s.delays.begin(account, from); err != nil {
		return "", err
	}
	kind, err = s.useCode(ctx, userID, secret, typed(code))
	switch {
	case err == nil:
		s.delays.succeed(account, from)
	case !errors.Is(err, ErrCode):
		s.delays.cancel(account, from)
	}
	return kind, err
}

func (s *Service) useCode(ctx context.Context, userID string, secret []byte, code string) (string, error) {
	if len(code) != totpDigits {
		return "recovery", used(s.store.UseRecoveryCode(ctx, userID, tokenHash(code)))
	}
	step, ok := matchingStep(secret, code, s.now())
	if !ok {
		return "totp", ErrCode
	}
	return "totp", used(s.store.UseStep(ctx, userID, step))
}

// used: a code that the store does not find any more was used before.
func used(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrCode
	}
	return err
}

// RemoveFactor takes a user's factor and recovery codes away.
func (s *Service) RemoveFactor(ctx context.Context, userID string) error {
	return s.store.DeleteFactor(ctx, userID)
}

// OpenPending notes that a user's password was right, and returns the token under which
// the code must follow within five minutes. It is no session: it opens nothing.
func (s *Service) OpenPending(ctx context.Context, u User) (token string, err error) {
	now := s.now().UTC()
	token = newToken()
	err = s.store.AddSession(ctx, Session{ID: ulid.Make().String(), TokenHash: tokenHash(token), Workspace: u.Workspace, UserID: u.ID,
		Auth: authPending, Created: now, Seen: now, Proved: now, Expires: now.Add(pendingLife)})
	if err != nil {
		return "", fmt.Errorf("identity: noting a first factor: %w", err)
	}
	return token, nil
}

// Pending returns who waits for a second factor under token. Errors: ErrSession.
func (s *Service) Pending(ctx context.Context, token string) (User, Session, error) {
	session, err := s.store.SessionByToken(ctx, tokenHash(token))
	if err != nil {
		return User{}, Session{}, sessionError(err)
	}
	if session.Auth != authPending || s.now().After(session.Expires) {
		return User{}, Session{}, ErrSession
	}
	u, err := s.store.User(ctx, session.UserID)
	if err != nil {
		return User{}, Session{}, sessionError(err)
	}
	if !u.Disabled.IsZero() || u.Workspace != session.Workspace {
		return User{}, Session{}, ErrSession
	}
	return u, session, nil
}
