// Package identity knows who calls: users and passwords, sessions, API keys,
// delays against guessing, the setup link and the sign-in links of the demo.
// It keeps no SQL: policy/store implements the interfaces it needs.
package identity

// Ways to authenticate.
const (
	AuthPassword = "password"
	AuthDemoLink = "demo-link"
	AuthAPIKey   = "api-key"
	AuthLocal    = "local-file"
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
}
