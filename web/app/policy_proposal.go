package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	policystore "vitrine/policy/store"
)

// Where the rule that lets somebody change the policy asks for review, a change is a
// proposal: a second person with policy.approve decides it, never the one who made it,
// and never through a key of the one who made it. An approved change with a later time
// waits; when it is due, the approver must still be allowed to approve.

// Verdicts of a ProposalDecision.
const (
	VerdictApprove  = "approve"
	VerdictReject   = "reject"
	VerdictWithdraw = "withdraw"
)

// proposalEvery is the time between two looks for approved changes that are due.
const proposalEvery = 10 * time.Second

func proposalView(p policystore.Proposal) ProposalView {
	return ProposalView{ID: p.ID, Base: p.Base, Hash: p.Hash, Author: p.Author, Reason: p.Reason, Created: p.Created,
		Starts: moment(p.Starts), State: p.State, Decider: p.Decider, Decided: moment(p.Decided)}
}

func (a *App) proposals(ctx context.Context) ([]ProposalView, error) {
	list, err := a.policies.Proposals(ctx, a.workspace, policystore.ProposalOpen, policystore.ProposalApproved)
	if err != nil {
		return nil, err
	}
	var out []ProposalView
	for _, p := range list {
		out = append(out, proposalView(p))
	}
	return out, nil
}

// proposalEvent is the log's entry about a proposal.
func (a *App) proposalEvent(ctx context.Context, code string, q ask, d policy.Decision, p policystore.Proposal, reason string) (audit.Event, error) {
	e := audit.Event{
		ID: ulid.Make().String(), Code: code, Actor: q.caller.ID, Auth: q.caller.Auth, Request: q.request,
		Action: string(q.action), Object: fmt.Sprintf("policy:%d", p.Base), Decision: decisionLeaf(d),
		Codes:   map[string]string{"hash_after": p.Hash, "proposal": strings.ToLower(p.ID)},
		Numbers: map[string]int64{"version_before": p.Base},
	}
	own, err := a.ownKey(ctx, q.caller.ID)
	if err != nil {
		return e, err
	}
	key, err := audit.RecordKey(own, e.ID)
	if err != nil {
		return e, err
	}
	e.Commitments = map[string]string{"reason": audit.Commit(key, "reason", []byte(reason))}
	return e, nil
}

// propose keeps a change for a second person, and the log's entry, both or neither.
func (a *App) propose(ctx context.Context, q ask, d policy.Decision, change policystore.Change, starts time.Time) error {
	return a.db.Write(ctx, func(ctx context.Context) error {
		p, err := a.policies.Propose(ctx, change, starts)
		if err != nil {
			return err
		}
		e, err := a.proposalEvent(ctx, "POLICY.PROPOSED.OK", q, d, p, change.Reason)
		if err != nil {
			return err
		}
		_, err = a.log.Append(ctx, e)
		return err
	})
}

// PreviewProposal says what a waiting change would change in the policy in force.
func (a *App) PreviewProposal(ctx context.Context, c identity.Caller, id string) (*ProposalView, *PolicyPreview, error) {
	base, err := a.reachable(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	p, next, err := a.proposal(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	v := proposalView(p)
	preview, err := a.compare(ctx, base, next)
	return &v, preview, err
}

func (a *App) proposal(ctx context.Context, id string) (policystore.Proposal, *policy.Snapshot, error) {
	p, s, err := a.policies.Proposal(ctx, a.workspace, id)
	if errors.Is(err, policystore.ErrNotFound) {
		err = fail(ErrNotFound, "look at the list of waiting changes", "no change waits under this id")
	}
	return p, s, err
}

// DecideProposal approves, rejects or withdraws a change that waits. Approving puts it
// into force, at once or at its time.
//
// Errors: [*Denied]; ErrNotFound; ErrConflict when it was decided before, when the policy
// changed since, or when its author would approve it.
func (a *App) DecideProposal(ctx context.Context, c identity.Caller, id string, r ProposalDecision) (*PolicyView, error) {
	q := ask{caller: c, action: policy.PolicyApprove, request: requestID(r.RequestID), denied: "POLICY.APPROVED.DENIED"}
	switch r.Verdict {
	case VerdictApprove, VerdictReject:
	case VerdictWithdraw:
		q.action, q.denied = policy.PolicyEdit, "POLICY.CHANGED.DENIED"
	default:
		return nil, fail(ErrInput, "approve, reject or withdraw it", "%q is not a decision on a change", clip(r.Verdict))
	}
	base, err := a.policies.Active(ctx, a.workspace)
	if err != nil {
		return nil, err
	}
	q.object = fmt.Sprintf("policy:%d", base.Version())
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	reason := strings.TrimSpace(r.Reason)
	if n := len([]rune(reason)); n == 0 || n > maxReason {
		return nil, fail(ErrInput, "say in one sentence why", "a decision needs a reason of 1 to %d characters", maxReason)
	}
	p, next, err := a.proposal(ctx, id)
	if err != nil {
		return nil, err
	}
	own, err := a.samePerson(ctx, c.ID, p.Author)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Verdict == VerdictApprove && own:
		return nil, fail(ErrConflict, "ask somebody else who may approve changes", "a change is approved by a second person, not by the one who made it")
	case r.Verdict == VerdictWithdraw && !own:
		return nil, fail(ErrConflict, "reject it instead", "only the one who made a change withdraws it")
	}
	if err := a.decideProposal(ctx, q, d, p, base, next, r.Verdict, reason); err != nil {
		return nil, policyError(err)
	}
	return a.policyView(ctx)
}

func (a *App) decideProposal(ctx context.Context, q ask, d policy.Decision, p policystore.Proposal, base, next *policy.Snapshot, verdict, reason string) error {
	to, code := policystore.ProposalRejected, "POLICY.REJECTED.OK"
	switch verdict {
	case VerdictWithdraw:
		to, code = policystore.ProposalWithdrawn, "POLICY.WITHDRAWN.OK"
	case VerdictApprove:
		to, code = policystore.ProposalApproved, "POLICY.APPROVED.OK"
		if p.Base != base.Version() {
			return policystore.ErrConflict
		}
	}
	e, err := a.proposalEvent(ctx, code, q, d, p, reason)
	if err != nil {
		return err
	}
	move := func(ctx context.Context) error {
		if err := a.policies.Move(ctx, a.workspace, p.ID, policystore.ProposalOpen, to, q.caller.ID); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, e)
		return err
	}
	if to != policystore.ProposalApproved || p.Starts.After(a.now()) {
		return a.db.Write(ctx, move)
	}
	to = policystore.ProposalInForce
	return a.changePolicy(ctx, q, d, base, proposed(p, next), move)
}

func proposed(p policystore.Proposal, next *policy.Snapshot) policystore.Change {
	return policystore.Change{Workspace: p.Workspace, Base: p.Base, Rules: next.Rules(), Groups: next.Groups(), Author: p.Author, Reason: p.Reason}
}

// samePerson reports whether two subjects are one person: the same account, or an
// account and its key, or two keys of one account.
func (a *App) samePerson(ctx context.Context, x, y string) (bool, error) {
	if x == y {
		return true, nil
	}
	owner := map[string]string{x: x, y: y}
	if strings.HasPrefix(x, "key:") || strings.HasPrefix(y, "key:") {
		keys, err := a.people.Keys(ctx, a.workspace)
		if err != nil {
			return false, identityError(err)
		}
		for _, k := range keys {
			if _, asked := owner[k.ID]; asked && k.Owner != "" {
				owner[k.ID] = k.Owner
			}
		}
	}
	return owner[x] == owner[y], nil
}

// schedule puts approved changes into force when they are due, until ctx ends.
func (a *App) schedule(ctx context.Context) {
	for {
		if !a.db.Lead(ctx, "schedule") {
			// another process on the database does it
		} else if err := a.activateDue(ctx); err != nil && ctx.Err() == nil {
			a.config.Logger.Error("an approved change of the policy could not be put into force", "error", err)
		}
		select {
		case <-time.After(proposalEvery):
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) activateDue(ctx context.Context) error {
	list, err := a.policies.Proposals(ctx, a.workspace, policystore.ProposalApproved)
	if err != nil {
		return err
	}
	var failed error
	for _, p := range list {
		if !p.Starts.After(a.now()) {
			failed = errors.Join(failed, a.activate(ctx, p.ID))
		}
	}
	return failed
}

// activate puts one approved change into force, or lets it lapse when the policy has
// changed since or its approver may not approve any more.
func (a *App) activate(ctx context.Context, id string) error {
	p, next, err := a.policies.Proposal(ctx, a.workspace, id)
	if err != nil {
		return err
	}
	base, err := a.policies.Active(ctx, a.workspace)
	if err != nil {
		return err
	}
	approver, err := a.callerOf(ctx, p.Decider)
	if err != nil {
		return err
	}
	q := ask{caller: approver, action: policy.PolicyApprove, object: fmt.Sprintf("policy:%d", base.Version())}
	d := a.decide(q)
	if d.Allow && p.Base == base.Version() {
		err = a.changePolicy(ctx, q, d, base, proposed(p, next), func(ctx context.Context) error {
			return a.policies.Move(ctx, a.workspace, p.ID, policystore.ProposalApproved, policystore.ProposalInForce, "")
		})
		if !errors.Is(err, policystore.ErrConflict) {
			return err
		}
	}
	return a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.policies.Move(ctx, a.workspace, p.ID, policystore.ProposalApproved, policystore.ProposalStale, ""); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "POLICY.LAPSED.OK", Actor: "system", Object: fmt.Sprintf("policy:%d", p.Base),
			Codes: map[string]string{"hash_after": p.Hash, "proposal": strings.ToLower(p.ID)}})
		return err
	})
}

// callerOf is the account or key as it stands now; one that is disabled or gone has no
// roles.
func (a *App) callerOf(ctx context.Context, id string) (identity.Caller, error) {
	c := identity.Caller{ID: id, Workspace: a.workspace, Auth: "password"}
	if strings.HasPrefix(id, "key:") {
		c.Auth = "api-key"
		keys, err := a.people.Keys(ctx, a.workspace)
		for _, k := range keys {
			if k.ID == id && k.Disabled.IsZero() && (k.Expires.IsZero() || k.Expires.After(a.now())) {
				c.Roles = k.Roles
			}
		}
		return c, identityError(err)
	}
	u, err := a.people.User(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return c, nil
	}
	if err == nil && u.Disabled.IsZero() && u.Workspace == a.workspace {
		c.Roles = u.Roles
	}
	return c, identityError(err)
}
