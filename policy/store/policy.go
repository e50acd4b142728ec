package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"vitrine/policy"
	"vitrine/web/db"
)

var (
	// ErrConflict: the policy was changed by somebody else in between.
	ErrConflict = errors.New("policy: another version came into force meanwhile; look at it and make the change again")
	// ErrNoPolicy: the workspace has no usable policy; every request is denied.
	ErrNoPolicy = errors.New("policy: no usable policy is stored for this workspace")
	// ErrNotFound: no such version.
	ErrNotFound = errors.New("policy: no such version")
)

// LintError says why rules were not put into force.
type LintError struct{ Issues []policy.Issue }

func (e *LintError) Error() string {
	for _, i := range e.Issues {
		if i.Severity == policy.SeverityError {
			return "policy: not put into force: " + i.Message
		}
	}
	return "policy: not put into force"
}

// Version describes one stored version.
type Version struct {
	Number  int64
	Hash    string
	Author  string // opaque subject id
	Reason  string
	Created time.Time
	Rules   int
}

// versionRow is a row of policy_versions. Content is the snapshot's canonical
// bytes; rows are never changed.
type versionRow struct {
	Workspace string `gorm:"primaryKey"`
	Number    int64  `gorm:"primaryKey;autoIncrement:false"`
	Hash      string
	Content   []byte
	Rules     int
	Author    string
	Reason    string
	Created   int64
}

func (versionRow) TableName() string { return "policy_versions" }

// Policies keeps every version of every workspace's policy and the snapshot in
// force. Safe for concurrent use: a decision sees one version, never a mix.
type Policies struct {
	db  *db.DB
	now func() time.Time

	mu     sync.Mutex
	active map[string]*atomic.Pointer[policy.Snapshot]
}

// NewPolicies makes the store; now nil is time.Now.
func NewPolicies(d *db.DB, now func() time.Time) *Policies {
	if now == nil {
		now = time.Now
	}
	return &Policies{db: d, now: now, active: map[string]*atomic.Pointer[policy.Snapshot]{}}
}

func (p *Policies) slot(workspace string) *atomic.Pointer[policy.Snapshot] {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.active[workspace]
	if s == nil {
		s = &atomic.Pointer[policy.Snapshot]{}
		p.active[workspace] = s
	}
	return s
}

// Active returns the snapshot in force. A stored version that does not parse,
// or is not what its hash says, is ErrNoPolicy: that workspace fails closed and
// no other is touched.
func (p *Policies) Active(ctx context.Context, workspace string) (*policy.Snapshot, error) {
	slot := p.slot(workspace)
	if s := slot.Load(); s != nil {
		return s, nil
	}
	s, err := p.load(ctx, workspace)
	if err != nil {
		return nil, err
	}
	if !p.db.InWrite(ctx) { // what a transaction sees may still be rolled back
		activate(slot, s)
	}
	return newest(slot, s), nil
}

// newest prefers what is in force by now over what was just read.
func newest(slot *atomic.Pointer[policy.Snapshot], read *policy.Snapshot) *policy.Snapshot {
	if s := slot.Load(); s != nil && s.Version() >= read.Version() {
		return s
	}
	return read
}

// activate puts s into force unless a newer version is.
func activate(slot *atomic.Pointer[policy.Snapshot], s *policy.Snapshot) {
	for {
		old := slot.Load()
		if old != nil && old.Version() >= s.Version() || slot.CompareAndSwap(old, s) {
			return
		}
	}
}

// Follow puts a version into force that another process on the same database made.
// Until it is called this process decides by the one that it knows.
func (p *Policies) Follow(ctx context.Context, workspace string) error {
	slot := p.slot(workspace)
	known := slot.Load()
	if known == nil {
		return nil // Active reads it when it is asked for
	}
	var newest int64
	err := p.db.Read(ctx).Model(&versionRow{}).Where("workspace = ?", workspace).Select("COALESCE(MAX(number), 0)").Scan(&newest).Error
	if err != nil {
		return fmt.Errorf("policy: looking for a newer version: %w", db.Translate(err))
	}
	if newest <= known.Version() {
		return nil
	}
	s, err := p.load(ctx, workspace)
	if err != nil {
		return err
	}
	activate(slot, s)
	return nil
}

func (p *Policies) load(ctx context.Context, workspace string) (*policy.Snapshot, error) {
	var row versionRow
	err := p.db.Read(ctx).Where("workspace = ?", workspace).Order("number DESC").Limit(1).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, ErrNoPolicy
	}
	if err != nil {
		return nil, fmt.Errorf("policy: reading the policy: %w", db.Translate(err))
	}
	return row.snapshot()
}

// snapshot parses the row and checks it against its own words.
func (r versionRow) snapshot() (*policy.Snapshot, error) {
	s, err := policy.Parse(r.Content)
	if err != nil {
		return nil, fmt.Errorf("%w: version %d: %w", ErrNoPolicy, r.Number, err)
	}
	if s.Hash() != r.Hash || s.Version() != r.Number || s.Workspace() != r.Workspace {
		return nil, fmt.Errorf("%w: version %d is not what its row says", ErrNoPolicy, r.Number)
	}
	return s, nil
}

// Decide answers with the snapshot in force; without one it denies with reason
// "policy-unavailable".
func (p *Policies) Decide(ctx context.Context, r policy.Request) policy.Decision {
	s, err := p.Active(ctx, r.Workspace)
	if err != nil {
		return policy.Decision{Effect: policy.EffectDeny, Reason: policy.ReasonUnavailable, RuleIDs: []string{}, Request: r}
	}
	return s.Decide(r)
}

// Install gives a workspace the shipped policy as version 1, unless it has one.
func (p *Policies) Install(ctx context.Context, workspace string) (s *policy.Snapshot, installed bool, err error) {
	s, err = p.Active(ctx, workspace)
	if err == nil {
		return s, false, nil
	}
	var n int64
	if err2 := p.db.Read(ctx).Model(&versionRow{}).Where("workspace = ?", workspace).Count(&n).Error; err2 != nil {
		return nil, false, fmt.Errorf("policy: counting versions: %w", db.Translate(err2))
	}
	if n > 0 || !errors.Is(err, ErrNoPolicy) {
		return nil, false, err // there is one, and it is broken: not ours to replace
	}
	rules, groups := policy.Default(workspace)
	s, err = p.Change(ctx, Change{Workspace: workspace, Rules: rules, Groups: groups, Author: "system", Reason: "shipped policy"})
	return s, err == nil, err
}

// Change is a new set of rules. Base is the version it was made from, 0 for the
// first. Author is an opaque subject id; Reason is for people and never goes
// into a log entry.
type Change struct {
	Workspace string
	Base      int64
	Rules     []policy.Rule
	Groups    []policy.Grouping
	Author    string
	Reason    string
}

const maxReason = 1000

// compile is the policy that the change makes, once it was found sound.
func (c Change) compile() (*policy.Snapshot, error) {
	if reason := strings.TrimSpace(c.Reason); reason == "" || len(reason) > maxReason {
		return nil, fmt.Errorf("%w: say why, in 1 to %d bytes", policy.ErrRule, maxReason)
	}
	if issues := Lint(c.Rules, c.Groups); policy.HasErrors(issues) {
		return nil, &LintError{issues}
	}
	s, err := policy.Compile(c.Base+1, c.Rules, c.Groups)
	if err != nil {
		return nil, err
	}
	if s.Workspace() != c.Workspace {
		return nil, fmt.Errorf("%w: the rules are not of this workspace", policy.ErrRule)
	}
	return s, nil
}

// Change stores the rules as the next version and puts it into force as soon as
// the transaction is on disk. Errors: ErrConflict when Base is not the newest
// version, a *LintError when the rules are broken or lock everybody out.
func (p *Policies) Change(ctx context.Context, c Change) (*policy.Snapshot, error) {
	s, err := c.compile()
	if err != nil {
		return nil, err
	}
	row := versionRow{Workspace: c.Workspace, Number: s.Version(), Hash: s.Hash(), Content: s.Bytes(),
		Rules: len(c.Rules), Author: c.Author, Reason: strings.TrimSpace(c.Reason), Created: toMillis(p.now())}
	err = write(ctx, p.db, func(ctx context.Context, tx *gorm.DB) error {
		var newest int64
		err := tx.Model(&versionRow{}).Where("workspace = ?", c.Workspace).Select("COALESCE(MAX(number), 0)").Scan(&newest).Error
		if err != nil {
			return err
		}
		if newest != c.Base {
			return ErrConflict
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		p.db.AfterCommit(ctx, func() { activate(p.slot(c.Workspace), s) })
		return nil
	})
	switch {
	case isDuplicate(err):
		return nil, ErrConflict
	case err != nil && !errors.Is(err, ErrConflict):
		return nil, fmt.Errorf("policy: storing a version: %w", db.Translate(err))
	case err != nil:
		return nil, err
	}
	return s, nil
}
