package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"vitrine/policy"
)

// Limits of sessions.
const (
	SessionIdle     = 2 * time.Hour
	SessionAbsolute = 12 * time.Hour
	// touchEvery bounds how often "last seen" is written.
	touchEvery = time.Minute
	setupLife  = 30 * time.Minute
	// ProofLife is how long after proving who they are a person may do what changes who
	// may do what, or takes data out.
	ProofLife = 30 * time.Minute
)

// Service answers who a caller is and manages accounts. Safe for concurrent
// use. Methods that write join the transaction of ctx where the store has one;
// Authenticate takes tens of milliseconds and belongs outside of it.
type Service struct {
	store  Store
	hasher *Hasher
	delays *delays
	now    func() time.Time

	mu    sync.Mutex
	setup setupLink
	demo  map[string]string // token hash → user id
}

type setupLink struct {
	hash    string
	expires time.Time
}

// New makes a service; now nil is time.Now.
func New(store Store, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{store: store, hasher: NewHasher(), delays: newDelays(now), now: now, demo: map[string]string{}}
}

// Authenticate checks a name and password. address is the client's, for the
// delay only. Errors: ErrCredentials, a *DelayError, ErrBusy. An unknown name
// takes as long as a wrong password.
func (s *Service) Authenticate(ctx context.Context, workspace, name, password, address string) (User, error) {
	account, from := "a:"+workspace+"/"+tokenHash(strings.ToLower(name)), "f:"+address
	if err := s.delays.begin(account, from); err != nil {
		return User{}, err
	}
	u, err := s.store.UserByName(ctx, workspace, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.delays.cancel(account, from)
		return User{}, fmt.Errorf("identity: finding the user: %w", err)
	}
	hash := u.PasswordHash
	if !u.Disabled.IsZero() {
		hash = ""
	}
	ok, rehash, err := s.hasher.Verify(ctx, hash, password)
	if err != nil {
		s.delays.cancel(account, from)
		return User{}, err
	}
	if !ok {
		return User{}, ErrCredentials
	}
	s.delays.succeed(account, from)
	if rehash {
		if fresh, err := s.hasher.Hash(ctx, password); err == nil {
			// The old hash still works; a failure here must not keep anybody out.
			_ = s.store.SetPassword(ctx, u.ID, fresh)
		}
	}
	return u, nil
}

// OpenSession starts a session for an authenticated user and returns its token,
// which is stored nowhere.
func (s *Service) OpenSession(ctx context.Context, u User, auth string) (token string, c Caller, err error) {
	now := s.now().UTC()
	token = newToken()
	session := Session{
		ID: ulid.Make().String(), TokenHash: tokenHash(token), Workspace: u.Workspace, UserID: u.ID, Auth: auth,
		Created: now, Seen: now, Proved: now, Expires: now.Add(SessionAbsolute),
	}
	if err := s.store.AddSession(ctx, session); err != nil {
		return "", Caller{}, fmt.Errorf("identity: opening a session: %w", err)
	}
	return token, u.caller(session), nil
}

func (u User) caller(session Session) Caller {
	return Caller{ID: u.ID, Name: u.Name, Roles: u.Roles, Workspace: u.Workspace, Auth: session.Auth, SessionID: session.ID, Proved: session.Proved}
}

// Session returns the caller of a session token. Roles are those of now. Errors:
// ErrSession.
func (s *Service) Session(ctx context.Context, token string) (Caller, error) {
	if len(token) != 43 {
		return Caller{}, ErrSession
	}
	session, err := s.store.SessionByToken(ctx, tokenHash(token))
	if err != nil {
		return Caller{}, sessionError(err)
	}
	now := s.now()
	if session.Auth == authPending || now.After(session.Expires) || now.Sub(session.Seen) > SessionIdle {
		return Caller{}, ErrSession
	}
	u, err := s.store.User(ctx, session.UserID)
	if err != nil {
		return Caller{}, sessionError(err)
	}
	if !u.Disabled.IsZero() || u.Workspace != session.Workspace {
		return Caller{}, ErrSession
	}
	if now.Sub(session.Seen) > touchEvery {
		// On a full disk this fails and the session ends early, which is the safe
		// side; the page itself must still be shown.
		_ = s.store.TouchSession(ctx, session.ID, now.UTC())
	}
	return u.caller(session), nil
}

func sessionError(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrSession
	}
	return fmt.Errorf("identity: finding the session: %w", err)
}

// Sessions lists a user's sessions that still work.
func (s *Service) Sessions(ctx context.Context, userID string) ([]Session, error) {
	all, err := s.store.Sessions(ctx, userID)
	now := s.now()
	return slices.DeleteFunc(all, func(x Session) bool {
		return x.Auth == authPending || now.After(x.Expires) || now.Sub(x.Seen) > SessionIdle
	}), err
}

// CloseSession ends a session; one that is gone already is no error.
func (s *Service) CloseSession(ctx context.Context, id string) error {
	return s.store.DeleteSession(ctx, id)
}

// Prove notes that the person of a session just proved who they are again.
func (s *Service) Prove(ctx context.Context, sessionID string) error {
	return s.store.ProveSession(ctx, sessionID, s.now().UTC())
}

// Proven says whether a caller proved who they are within ProofLife. Keys, the operator
// at the machine and the accounts of the demo, which have nothing to prove it by, need not.
func (s *Service) Proven(c Caller) bool {
	return c.SessionID == "" || c.Auth == AuthDemoLink || s.now().Sub(c.Proved) <= ProofLife
}

// SetPassword replaces a user's password and ends the other sessions. hash comes from
// HashPassword.
func (s *Service) SetPassword(ctx context.Context, userID, hash, keepSession string) error {
	if err := s.store.SetPassword(ctx, userID, hash); err != nil {
		return err
	}
	return s.store.DeleteSessionsOf(ctx, userID, keepSession)
}

// CloseOthers ends all sessions of a user but one ("" = all).
func (s *Service) CloseOthers(ctx context.Context, userID, keep string) error {
	return s.store.DeleteSessionsOf(ctx, userID, keep)
}

// HashPassword checks a new password and hashes it; slow, outside of any
// transaction. Errors: ErrPassword, ErrBusy.
func (s *Service) HashPassword(ctx context.Context, password, name string) (string, error) {
	if err := CheckPassword(password, name); err != nil {
		return "", err
	}
	return s.hasher.Hash(ctx, password)
}

// AddUser makes an account. hash comes from HashPassword; "" makes an account
// that cannot sign in by password. Errors: ErrName, ErrExists.
func (s *Service) AddUser(ctx context.Context, workspace, name, hash string, roles []string) (User, error) {
	name, err := checkName(name)
	if err != nil {
		return User{}, err
	}
	if roles, err = checkRoles(roles); err != nil {
		return User{}, err
	}
	u := User{ID: "user:" + ulid.Make().String(), Workspace: workspace, Name: name, Roles: roles, PasswordHash: hash, Created: s.now().UTC()}
	if err := s.store.AddUser(ctx, u); err != nil {
		return User{}, fmt.Errorf("identity: adding a user: %w", err)
	}
	return u, nil
}

// checkName bounds a display name and refuses what could imitate another.
func checkName(name string) (string, error) {
	if n := utf8.RuneCountInString(name); !utf8.ValidString(name) || n < 1 || n > 64 || name != strings.TrimSpace(name) {
		return "", fmt.Errorf("%w: a name has 1 to 64 characters without spaces around it", ErrName)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) || r == ':' || r == '/' {
			return "", fmt.Errorf("%w: a name must not hold ':', '/' or invisible characters", ErrName)
		}
	}
	return name, nil
}

func checkRoles(roles []string) ([]string, error) {
	if len(roles) == 0 {
		return nil, fmt.Errorf("%w: give at least one role of %s", ErrName, strings.Join(policy.Roles, ", "))
	}
	out := slices.Clone(roles)
	for i, r := range out {
		out[i] = strings.TrimPrefix(r, "role:")
		if !policy.KnownRole(out[i]) {
			return nil, fmt.Errorf("%w: unknown role %.40q; use one of %s", ErrName, r, strings.Join(policy.Roles, ", "))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// User, UserByName and Users read accounts; ErrNotFound where there is none.
func (s *Service) User(ctx context.Context, id string) (User, error) { return s.store.User(ctx, id) }

// UserByName finds an account by its display name, without case.
func (s *Service) UserByName(ctx context.Context, workspace, name string) (User, error) {
	return s.store.UserByName(ctx, workspace, name)
}

// Users lists the accounts of a workspace by name.
func (s *Service) Users(ctx context.Context, workspace string) ([]User, error) {
	return s.store.Users(ctx, workspace)
}

// Members lists the accounts of a workspace by name, with what an administrator sees of
// how they sign in.
func (s *Service) Members(ctx context.Context, workspace string) ([]Member, error) {
	users, err := s.store.Users(ctx, workspace)
	if err != nil {
		return nil, err
	}
	factors, err := s.store.Factors(ctx, workspace)
	if err != nil {
		return nil, err
	}
	invited, err := s.store.Invitations(ctx, workspace)
	if err != nil {
		return nil, err
	}
	out := make([]Member, len(users))
	for i, u := range users {
		out[i] = Member{u, factors[u.ID], invited[u.ID]}
		if s.now().After(out[i].Invited) {
			out[i].Invited = time.Time{}
		}
	}
	return out, nil
}

// Member is an account with how it signs in. Invited is until when its invitation works;
// zero without one.
type Member struct {
	User
	Factor  bool
	Invited time.Time
}

// DisableUser ends an account and its sessions at once. ErrLastAdmin keeps the
// last administrator.
func (s *Service) DisableUser(ctx context.Context, id string) error {
	u, err := s.store.User(ctx, id)
	if err != nil {
		return err
	}
	if err := s.keepAdmin(ctx, u, nil); err != nil {
		return err
	}
	if err := s.store.SetDisabled(ctx, id, s.now().UTC()); err != nil {
		return err
	}
	return s.store.DeleteSessionsOf(ctx, id, "")
}

// SetRoles replaces a user's roles and ends the sessions, so that no page shows
// what the old roles allowed. ErrLastAdmin keeps the last administrator.
func (s *Service) SetRoles(ctx context.Context, id string, roles []string) error {
	roles, err := checkRoles(roles)
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, id)
	if err != nil {
		return err
	}
	if err := s.keepAdmin(ctx, u, roles); err != nil {
		return err
	}
	if err := s.store.SetRoles(ctx, id, roles); err != nil {
		return err
	}
	return s.store.DeleteSessionsOf(ctx, id, "")
}

func (s *Service) keepAdmin(ctx context.Context, u User, roles []string) error {
	if !u.Disabled.IsZero() || !slices.Contains(u.Roles, policy.Admin) || slices.Contains(roles, policy.Admin) {
		return nil
	}
	n, err := s.store.CountAdmins(ctx, u.Workspace)
	if err != nil {
		return err
	}
	if n <= 1 {
		return ErrLastAdmin
	}
	return nil
}
