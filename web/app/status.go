package app

import (
	"context"
	"time"

	"vitrine/policy"
	"vitrine/policy/identity"
)

// StatusView is what every page says in its frame: no decision is needed to know it, and
// nothing in it is about anybody.
type StatusView struct {
	Size    int64     // entries in the log
	Checked time.Time // zero where the whole log has not been checked yet
	OK      bool
	Policy  int64 // version in force
	// Anchor is when others last vouched for the log; zero where nobody does.
	Anchor time.Time
}

// Status tells the state of the log and the policy without reading the log.
func (a *App) Status(ctx context.Context) StatusView {
	var v StatusView
	if h, err := a.health(ctx); err == nil {
		v.Size, v.Checked, v.OK = h.Size, h.Checked, h.OK
		if h.AnchorTime != nil {
			v.Anchor = *h.AnchorTime
		}
	}
	if s, err := a.policies.Active(ctx, a.workspace); err == nil {
		v.Policy = s.Version()
	}
	return v
}

// LogHealth is the log's state as the last check found it; it checks nothing anew.
func (a *App) LogHealth(ctx context.Context, c identity.Caller) (*HealthView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, err
	}
	return a.health(ctx)
}
