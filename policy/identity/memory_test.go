package identity

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// memory is a Store in memory.
type memory struct {
	mu       sync.Mutex
	users    map[string]User
	sessions map[string]Session
	keys     map[string]Key
	factors  map[string]Factor
	recovery map[string][]string
	external map[string]string
	invited  map[string]invitation // by token hash
}

type invitation struct {
	user    string
	expires time.Time
}

func newMemory() *memory {
	return &memory{users: map[string]User{}, sessions: map[string]Session{}, keys: map[string]Key{},
		factors: map[string]Factor{}, recovery: map[string][]string{}, external: map[string]string{}, invited: map[string]invitation{}}
}

func (m *memory) AddUser(_ context.Context, u User) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.users {
		if x.Workspace == u.Workspace && strings.EqualFold(x.Name, u.Name) {
			return ErrExists
		}
	}
	m.users[u.ID] = u
	return nil
}

func (m *memory) User(_ context.Context, id string) (User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.users[id]
	if !ok {
		return User{}, ErrNotFound
	}
	return u, nil
}

func (m *memory) UserByName(_ context.Context, workspace, name string) (User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.users {
		if x.Workspace == workspace && strings.EqualFold(x.Name, name) {
			return x, nil
		}
	}
	return User{}, ErrNotFound
}

func (m *memory) Users(context.Context, string) ([]User, error) { return nil, nil }

func (m *memory) change(id string, f func(*User)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.users[id]
	if !ok {
		return ErrNotFound
	}
	f(&u)
	m.users[id] = u
	return nil
}

func (m *memory) SetPassword(_ context.Context, id, hash string) error {
	return m.change(id, func(u *User) { u.PasswordHash = hash })
}

func (m *memory) SetRoles(_ context.Context, id string, roles []string) error {
	return m.change(id, func(u *User) { u.Roles = roles })
}

func (m *memory) SetDisabled(_ context.Context, id string, at time.Time) error {
	return m.change(id, func(u *User) { u.Disabled = at })
}

func (m *memory) CountAdmins(_ context.Context, workspace string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, u := range m.users {
		if u.Disabled.IsZero() && slices.Contains(u.Roles, "admin") && (workspace == "" || u.Workspace == workspace) {
			n++
		}
	}
	return n, nil
}

func (m *memory) AddSession(_ context.Context, s Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[s.ID] = s
	return nil
}

func (m *memory) SessionByToken(_ context.Context, hash string) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		if s.TokenHash == hash {
			return s, nil
		}
	}
	return Session{}, ErrNotFound
}

func (m *memory) Sessions(_ context.Context, userID string) (out []Session, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		if s.UserID == userID {
			out = append(out, s)
		}
	}
	return out, nil
}

func (m *memory) TouchSession(_ context.Context, id string, seen time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	s.Seen = seen
	m.sessions[id] = s
	return nil
}

func (m *memory) DeleteSession(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, id)
	return nil
}

func (m *memory) DeleteSessionsOf(_ context.Context, userID, keep string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.sessions {
		if s.UserID == userID && id != keep {
			delete(m.sessions, id)
		}
	}
	return nil
}

func (m *memory) AddKey(_ context.Context, k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[k.ID] = k
	return nil
}

func (m *memory) KeyByPrefix(_ context.Context, prefix string) (Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.Prefix == prefix {
			return k, nil
		}
	}
	return Key{}, ErrNotFound
}

func (m *memory) Keys(context.Context, string) ([]Key, error) { return nil, nil }

func (m *memory) TouchKey(_ context.Context, id string, used time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.keys[id]
	k.Used = used
	m.keys[id] = k
	return nil
}

func (m *memory) SetKeyDisabled(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[id]
	if !ok {
		return ErrNotFound
	}
	k.Disabled = at
	m.keys[id] = k
	return nil
}

func (m *memory) ProveSession(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	s.Proved = at
	m.sessions[id] = s
	return nil
}

func (m *memory) Factor(_ context.Context, userID string) (Factor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.factors[userID]
	if !ok {
		return Factor{}, ErrNotFound
	}
	f.Recovery = len(m.recovery[userID])
	return f, nil
}

func (m *memory) SetFactor(_ context.Context, f Factor, recovery []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.factors[f.UserID], m.recovery[f.UserID] = f, recovery
	return nil
}

func (m *memory) UseStep(_ context.Context, userID string, step int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.factors[userID]
	if !ok || f.Confirmed.IsZero() || step <= f.Step {
		return ErrNotFound
	}
	f.Step = step
	m.factors[userID] = f
	return nil
}

func (m *memory) UseRecoveryCode(_ context.Context, userID, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.recovery[userID], hash)
	if i < 0 {
		return ErrNotFound
	}
	m.recovery[userID] = slices.Delete(m.recovery[userID], i, i+1)
	return nil
}

func (m *memory) DeleteFactor(_ context.Context, userID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.factors, userID)
	delete(m.recovery, userID)
	return nil
}

func (m *memory) UserByExternal(ctx context.Context, workspace, issuer, subject string) (User, error) {
	m.mu.Lock()
	id := m.external[workspace+"\x00"+issuer+"\x00"+subject]
	m.mu.Unlock()
	return m.User(ctx, id)
}

func (m *memory) LinkExternal(_ context.Context, workspace, issuer, subject, userID string, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.external[workspace+"\x00"+issuer+"\x00"+subject] = userID
	return nil
}

func (m *memory) Factors(context.Context, string) (map[string]bool, error) { return nil, nil }

func (m *memory) SetInvitation(_ context.Context, userID, hash string, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for h, i := range m.invited {
		if i.user == userID {
			delete(m.invited, h)
		}
	}
	m.invited[hash] = invitation{userID, expires}
	return nil
}

func (m *memory) Invitation(_ context.Context, hash string) (string, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.invited[hash]
	if !ok {
		return "", time.Time{}, ErrNotFound
	}
	return i.user, i.expires, nil
}

func (m *memory) DeleteInvitation(_ context.Context, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.invited[hash]; !ok {
		return ErrNotFound
	}
	delete(m.invited, hash)
	return nil
}

func (m *memory) Invitations(context.Context, string) (map[string]time.Time, error) { return nil, nil }
