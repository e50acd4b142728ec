package app

import (
	"time"

	"vitrine/policy"
)

// CellView is one cell of the policy matrix.
type CellView struct {
	Role      string        `json:"role"`
	Action    string        `json:"action"`
	State     string        `json:"state"`  // none, allow, conditional, deny, inherited
	Effect    string        `json:"effect"` // of the cell's first rule: allow, deny; none without one
	Inherited bool          `json:"inherited,omitempty"`
	Rule      *policy.Rule  `json:"rule,omitempty"` // the first of Rules
	Rules     []policy.Rule `json:"rules,omitempty"`
}

// PolicyView is the policy in force.
type PolicyView struct {
	Version  int64           `json:"version"`
	Hash     string          `json:"hash"`
	Author   string          `json:"author"`
	Reason   string          `json:"reason"`
	Time     time.Time       `json:"time"`
	Roles    []string        `json:"roles"`
	Actions  []string        `json:"actions"`
	Cells    []CellView      `json:"cells"`
	Rules    []policy.Rule   `json:"rules"`
	Warnings []string        `json:"warnings,omitempty"`
	Versions []PolicyVersion `json:"versions"`
	Purposes []string        `json:"purposes"`
	// Proposals wait for a second person, or for their time.
	Proposals []ProposalView `json:"proposals,omitempty"`
}

// ProposalView is a change of the policy that is not in force.
type ProposalView struct {
	ID      string     `json:"id"`
	Base    int64      `json:"base"`
	Hash    string     `json:"hash"`
	Author  string     `json:"author"`
	Reason  string     `json:"reason"`
	Created time.Time  `json:"created"`
	Starts  *time.Time `json:"starts,omitempty"`
	State   string     `json:"state"` // open, approved, rejected, withdrawn, in-force, stale
	Decider string     `json:"decider,omitempty"`
	Decided *time.Time `json:"decided,omitempty"`
}

// PolicyVersion is one row of the policy's history, newest first.
type PolicyVersion struct {
	Version int64     `json:"version"`
	Hash    string    `json:"hash"`
	Author  string    `json:"author"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
	Active  bool      `json:"active"`
}

// UserView is one account.
type UserView struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Roles    []string  `json:"roles"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
}

// KeyView is one API key, without its secret.
type KeyView struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Prefix   string     `json:"prefix"`
	Roles    []string   `json:"roles"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUse  *time.Time `json:"last_use,omitempty"`
	Disabled bool       `json:"disabled"`
	Created  time.Time  `json:"created"`
}

// NewKey is a key just made; Key is shown once and kept nowhere.
type NewKey struct {
	Key    string `json:"key"`
	Prefix string `json:"prefix"`
	KeyView
}

// DashboardView holds true numbers: each equals the total of the list it links to.
type DashboardView struct {
	Health       HealthView        `json:"health"`
	Predictions  int64             `json:"predictions"`
	Explanations int64             `json:"explanations"`
	Denials      int64             `json:"denials"`
	Redactions   int64             `json:"redactions"`
	Models       int64             `json:"models"`
	Since        time.Time         `json:"since"`
	Recent       []PredictionBrief `json:"recent"`
	Policy       PolicyVersion     `json:"policy"`
	FailedJobs   int64             `json:"failed_jobs"`
	ExpiringKeys int64             `json:"expiring_keys"`
	Failures     int64             `json:"failures"` // predictions and explanations that were allowed and failed
	// Hidden names the members that the caller may not see: they are empty.
	Hidden []string `json:"hidden"`
}

// DemoAccount is one throw-away account of the demo.
type DemoAccount struct {
	Role  string
	Token string // of the sign-in link
}
