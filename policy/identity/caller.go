// Package identity knows who calls: users and passwords, sessions, API keys,
// delays against guessing, the setup link and the sign-in links of the demo.
// It keeps no SQL: policy/store implements the interface Store.
//
// Reference: OWASP ASVS 5.0 level 2, chapters on authentication and sessions.
package identity

import (
	"errors"
	"time"
)

// Ways to authenticate.
const (
	AuthPassword = "password"
	AuthFactor   = "password-code" // and a one-time code
	AuthDemoLink = "demo-link"
	AuthAPIKey   = "api-key"
	AuthLocal    = "local-file"
)

// Errors of this package.
var (
	// ErrCredentials: name and password, token or key do not fit. It never says
	// which part is wrong.
	ErrCredentials = errors.New("identity: name or password is wrong")
	// ErrSession: no valid session or API key.
	ErrSession = errors.New("identity: not signed in")
	// ErrBusy: too many sign-ins at once; try again shortly.
	ErrBusy = errors.New("identity: too many sign-ins at once, try again in a moment")
	// ErrPassword: a new password breaks the rules; the text says which.
	ErrPassword = errors.New("identity: password refused")
	// ErrName: a user's or key's name, role or expiry is not possible.
	ErrName = errors.New("identity: invalid entry")
	// ErrExists: the name is taken.
	ErrExists = errors.New("identity: the name is taken")
	// ErrNotFound: no such user, session or key.
	ErrNotFound = errors.New("identity: not found")
	// ErrLastAdmin: the change would leave no administrator.
	ErrLastAdmin = errors.New("identity: the last administrator must stay; make another one first")
	// ErrSetup: the setup link is wrong, used, expired, or an administrator exists.
	ErrSetup = errors.New("identity: this setup link does not work any more; restart the server for a new one")
)

// Caller is an authenticated subject. ID is opaque and carries its kind:
// "user:01J…", "key:01J…" or "user:local". Name is for display only and never
// goes into a log entry.
type Caller struct {
	ID        string
	Name      string
	Roles     []string
	Workspace string
	Auth      string
	SessionID string
	Proved    time.Time // when the person last proved who they are; only of sessions
}

// Local is the operator at the machine, who can read the data folder's key
// files: all roles.
func Local(workspace, name string, roles []string) Caller {
	return Caller{ID: "user:local", Name: name, Roles: roles, Workspace: workspace, Auth: AuthLocal}
}
