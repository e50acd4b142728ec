package app

import (
	"context"
	"fmt"
	"time"

	"vitrine/audit"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	policystore "vitrine/policy/store"
)

const (
	// replayMax is how many entries of the log a preview decides again, the newest.
	replayMax = 10000
	// replayShown is how many of the decisions that change are listed.
	replayShown = 20
)

// PolicyPreview is what a change would do, before anybody makes it.
type PolicyPreview struct {
	Base     int64          `json:"base"`
	Changes  []PolicyEffect `json:"changes"`
	Warnings []string       `json:"warnings"`
	Replay   PolicyReplay   `json:"replay"`
}

// PolicyEffect says what changes for one role and action: of Contexts combinations of
// object, purpose, data class and method that the rules can tell apart, Gained become
// allowed, Lost denied, and Obligations stay allowed under other obligations.
type PolicyEffect struct {
	Role        string        `json:"role"`
	Action      string        `json:"action"`
	Direction   string        `json:"direction"` // gains, loses, both, obligation
	Gained      int           `json:"gained"`
	Lost        int           `json:"lost"`
	Obligations int           `json:"obligations"`
	Contexts    int           `json:"contexts"`
	Before      string        `json:"before"`
	After       string        `json:"after"`
	Example     PolicyExample `json:"example"`
}

// PolicyExample is one request whose answer changes.
type PolicyExample struct {
	Object    string `json:"object"`
	Purpose   string `json:"purpose"`
	DataClass string `json:"data_class"`
	Method    string `json:"method,omitempty"`
}

// PolicyReplay is the past decided again: of Decisions recorded since Since, Changed
// would be answered otherwise. Rows holds the newest of them.
type PolicyReplay struct {
	Decisions int              `json:"decisions"`
	Changed   int              `json:"changed"`
	Since     *time.Time       `json:"since,omitempty"`
	Rows      []ReplayedAnswer `json:"rows"`
}

// ReplayedAnswer is one past decision that would change.
type ReplayedAnswer struct {
	Index   int64     `json:"index"`
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`
	Object  string    `json:"object"`
	Purpose string    `json:"purpose"`
	Before  string    `json:"before"`
	After   string    `json:"after"`
}

// PreviewPolicy says what an edit of the matrix would change, without making it: for
// every role and action, and for the decisions of the past. It changes and records
// nothing. Errors as of ChangePolicy.
func (a *App) PreviewPolicy(ctx context.Context, c identity.Caller, r PolicyProposal) (*PolicyPreview, error) {
	return a.preview(ctx, c, r.Base, a.cells(r.Cells))
}

// PreviewRollback says what going back to a version would change.
func (a *App) PreviewRollback(ctx context.Context, c identity.Caller, base, version int64) (*PolicyPreview, error) {
	return a.preview(ctx, c, base, a.version(version))
}

func (a *App) preview(ctx context.Context, c identity.Caller, on int64, make proposal) (*PolicyPreview, error) {
	base, err := a.policies.Active(ctx, a.workspace)
	if err != nil {
		return nil, err
	}
	if _, err := a.allow(ctx, ask{caller: c, action: policy.PolicyEdit, object: fmt.Sprintf("policy:%d", base.Version()), denied: "POLICY.CHANGED.DENIED"}); err != nil {
		return nil, err
	}
	next, err := a.candidate(ctx, base, on, make)
	if err != nil {
		return nil, err
	}
	return a.compare(ctx, base, next)
}

// compare says what next changes in base.
func (a *App) compare(ctx context.Context, base, next *policy.Snapshot) (p *PolicyPreview, err error) {
	p = &PolicyPreview{Base: base.Version(), Changes: Effects(policy.Diff(base, next)), Warnings: []string{}}
	known := map[string]bool{}
	for _, i := range policystore.Lint(base.Rules(), base.Groups()) {
		known[i.Message] = true
	}
	for _, i := range policystore.Lint(next.Rules(), next.Groups()) {
		if !known[i.Message] {
			p.Warnings = append(p.Warnings, i.Message)
		}
	}
	p.Replay, err = a.replay(ctx, base, next)
	return p, err
}

// Effects are the changes of a comparison as programs read them.
func Effects(changes []policy.Change) []PolicyEffect {
	out := make([]PolicyEffect, len(changes))
	for i, x := range changes {
		ctx := x.Example.Context
		out[i] = PolicyEffect{Role: x.Role, Action: string(x.Action), Direction: x.Direction, Gained: x.Gained, Lost: x.Lost, Obligations: x.Duties,
			Contexts: x.Total, Before: x.Before, After: x.After,
			Example: PolicyExample{Object: x.Example.Object, Purpose: ctx.Purpose, DataClass: ctx.DataClass, Method: ctx.Method}}
	}
	return out
}

// replay decides the newest entries of the log again with both policies.
func (a *App) replay(ctx context.Context, base, next *policy.Snapshot) (PolicyReplay, error) {
	out := PolicyReplay{Rows: []ReplayedAnswer{}}
	q := auditstore.Query{Limit: auditstore.MaxPage, WithoutBestEffort: true}
	for seen := 0; seen < replayMax; {
		page, err := a.log.Events(ctx, q)
		if err != nil {
			return out, fmt.Errorf("app: reading past decisions: %w", err)
		}
		for _, e := range page.Entries {
			if d := e.Event.Decision; d != nil && d.Asked.Workspace == a.workspace {
				out.add(e, asked(d.Asked), base, next)
			}
		}
		seen += len(page.Entries)
		if page.Next == nil {
			break
		}
		q.Cursor = page.Next
	}
	return out, nil
}

func (p *PolicyReplay) add(e auditstore.Entry, r policy.Request, base, next *policy.Snapshot) {
	at, err := audit.ParseTime(e.Event.Time)
	if err == nil {
		p.Since = &at // entries come newest first
	}
	p.Decisions++
	before, after := base.Decide(r), next.Decide(r)
	if before.Effect == after.Effect {
		return
	}
	p.Changed++
	if len(p.Rows) < replayShown {
		p.Rows = append(p.Rows, ReplayedAnswer{Index: e.Index, Time: at, Actor: e.Event.Actor, Action: string(r.Action), Object: r.Object,
			Purpose: r.Context.Purpose, Before: before.Effect, After: after.Effect})
	}
}

// asked is the question of a log entry as the policy takes it.
func asked(x audit.Asked) policy.Request {
	return policy.Request{Workspace: x.Workspace, Subject: policy.Subject{ID: x.Subject.ID, Roles: x.Subject.Roles}, Action: policy.Action(x.Action),
		Object: x.Object, Context: policy.Context{Purpose: x.Context["purpose"], DataClass: x.Context["data_class"], Method: x.Context["method"], Auth: x.Context["auth"]}}
}
