package identity

import (
	"context"
	"time"
)

// User is an account. ID is "user:" and a ULID. Disabled is zero while the
// account works.
type User struct {
	ID           string
	Workspace    string
	Name         string
	Roles        []string
	PasswordHash string // PHC string; empty: no sign-in by password
	Created      time.Time
	Disabled     time.Time
}

// Session is a signed-in browser. Only the hash of its token is kept.
type Session struct {
	ID        string // ULID
	TokenHash string // SHA-256, hexadecimal
	Workspace string
	UserID    string
	Auth      string
	Created   time.Time
	Seen      time.Time
	Proved    time.Time // when the person last proved who they are
	Expires   time.Time // absolute limit
}

// Key is an API key. Only prefix and hash are kept.
type Key struct {
	ID        string // "key:" and a ULID
	Workspace string
	Name      string
	Prefix    string // shown in lists; unique
	Hash      string // SHA-256 of the whole key, hexadecimal
	Roles     []string
	Owner     string // subject that made it
	Created   time.Time
	Expires   time.Time // zero: never
	Used      time.Time
	Disabled  time.Time
}

// Store keeps accounts, sessions and keys. Reading what is not there gives
// ErrNotFound, adding a taken name ErrExists. Names compare without case.
type Store interface {
	AddUser(ctx context.Context, u User) error
	User(ctx context.Context, id string) (User, error)
	UserByName(ctx context.Context, workspace, name string) (User, error)
	Users(ctx context.Context, workspace string) ([]User, error)
	SetPassword(ctx context.Context, id, hash string) error
	SetRoles(ctx context.Context, id string, roles []string) error
	SetDisabled(ctx context.Context, id string, at time.Time) error
	// CountAdmins counts the enabled users with the role admin; "" = in every workspace.
	CountAdmins(ctx context.Context, workspace string) (int, error)

	AddSession(ctx context.Context, s Session) error
	SessionByToken(ctx context.Context, tokenHash string) (Session, error)
	Sessions(ctx context.Context, userID string) ([]Session, error)
	TouchSession(ctx context.Context, id string, seen time.Time) error
	DeleteSession(ctx context.Context, id string) error
	ProveSession(ctx context.Context, id string, at time.Time) error
	// DeleteSessionsOf ends a user's sessions but the one with id keep ("" = all).
	DeleteSessionsOf(ctx context.Context, userID, keep string) error

	Factor(ctx context.Context, userID string) (Factor, error)
	// SetFactor replaces a user's factor and recovery codes, given by their hashes.
	SetFactor(ctx context.Context, f Factor, recovery []string) error
	// UseStep takes a step newer than the last one taken, and UseRecoveryCode a code that
	// is there, once also when two come at the same time; otherwise ErrNotFound.
	UseStep(ctx context.Context, userID string, step int64) error
	UseRecoveryCode(ctx context.Context, userID, hash string) error
	DeleteFactor(ctx context.Context, userID string) error
	// Factors are the users of a workspace with a confirmed factor.
	Factors(ctx context.Context, workspace string) (map[string]bool, error)

	// SetInvitation replaces a user's invitation.
	SetInvitation(ctx context.Context, userID, tokenHash string, expires time.Time) error
	Invitation(ctx context.Context, tokenHash string) (userID string, expires time.Time, err error)
	// DeleteInvitation gives ErrNotFound to all but one of those who spend it at once.
	DeleteInvitation(ctx context.Context, tokenHash string) error
	// Invitations are the users of a workspace who have one, and when it ends.
	Invitations(ctx context.Context, workspace string) (map[string]time.Time, error)

	// UserByExternal finds the account that an identity provider's subject signs in to.
	UserByExternal(ctx context.Context, workspace, issuer, subject string) (User, error)
	LinkExternal(ctx context.Context, workspace, issuer, subject, userID string, at time.Time) error

	AddKey(ctx context.Context, k Key) error
	KeyByPrefix(ctx context.Context, prefix string) (Key, error)
	Keys(ctx context.Context, workspace string) ([]Key, error)
	TouchKey(ctx context.Context, id string, used time.Time) error
	SetKeyDisabled(ctx context.Context, id string, at time.Time) error
}
