package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/policy/identity"
)

// underReview is an App whose policy is changed by two people: one who edits, one who
// approves.
func underReview(t *testing.T) (a *App, author, approver identity.Caller, version int64) {
	t.Helper()
	a = openApp(t, "", true)
	author, approver = caller(t, a, policy.Admin), caller(t, a, policy.Auditor)
	v, err := a.ChangePolicy(context.Background(), author, PolicyChange{Base: 1, Reason: "four eyes", Cells: []PolicyCell{
		{Role: policy.Admin, Action: "policy.edit", Effect: "allow", Obligations: &ObligationsChange{Review: true}},
		{Role: policy.Auditor, Action: "policy.approve", Effect: "allow"}}})
	if err != nil {
		t.Fatal(err)
	}
	return a, author, approver, v.Version
}

// approvedForLater proposes that analysts may export from a later time on, approves it,
// and lets that time come.
func approvedForLater(t *testing.T, a *App, author, approver identity.Caller, version int64) {
	t.Helper()
	ctx := context.Background()
	later := time.Now().Add(time.Hour)
	v, err := a.ChangePolicy(ctx, author, PolicyChange{Base: version, Reason: "from then on", Starts: &later, Cells: []PolicyCell{{Role: policy.Analyst, Action: "export", Effect: "allow"}}})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = a.DecideProposal(ctx, approver, v.Proposals[0].ID, ProposalDecision{Verdict: VerdictApprove, Reason: "fine"}); err != nil || v.Version != version {
		t.Fatalf("approved for later: %v, version %d", err, v.Version)
	}
	if err := a.activateDue(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err = a.Policy(ctx, author); err != nil || v.Version != version || len(v.Proposals) != 1 {
		t.Fatalf("before its time: %v, %+v", err, v.Proposals)
	}
	a.config.Now = func() time.Time { return later.Add(time.Minute) }
}

func TestApprovedChangeComesInForceAtItsTime(t *testing.T) {
	a, author, approver, version := underReview(t)
	approvedForLater(t, a, author, approver, version)
	ctx := context.Background()
	for range 2 { // the second finds nothing to do
		if err := a.activateDue(ctx); err != nil {
			t.Fatal(err)
		}
	}
	v, err := a.Policy(ctx, author)
	if err != nil || v.Version != version+1 || v.Author != author.ID || len(v.Proposals) != 0 {
		t.Fatalf("%v, version %d by %s, %+v", err, v.Version, v.Author, v.Proposals)
	}
	if !a.decide(ask{caller: caller(t, a, policy.Analyst), action: policy.Export}).Allow {
		t.Error("the change is not in force")
	}
	list := events(t, a)
	for code, n := range map[string]int{"POLICY.PROPOSED.OK": 1, "POLICY.APPROVED.OK": 1, "POLICY.CHANGED.OK": 2, "POLICY.LAPSED.OK": 0} {
		if got := count(list, code); got != n {
			t.Errorf("%d entries %s, want %d", got, code, n)
		}
	}
}

func TestApprovedChangeLapses(t *testing.T) {
	for what, meanwhile := range map[string]func(t *testing.T, a *App, author, approver identity.Caller){
		"the approver lost the role": func(t *testing.T, a *App, _, approver identity.Caller) {
			if err := a.people.SetRoles(context.Background(), approver.ID, []string{policy.Analyst}); err != nil {
				t.Fatal(err)
			}
		},
		"the approver is disabled": func(t *testing.T, a *App, _, approver identity.Caller) {
			if err := a.people.DisableUser(context.Background(), approver.ID); err != nil {
				t.Fatal(err)
			}
		},
		"another change came first": func(t *testing.T, a *App, author, approver identity.Caller) {
			base, err := a.policies.Active(context.Background(), a.workspace)
			if err != nil {
				t.Fatal(err)
			}
			v, err := a.ChangePolicy(context.Background(), author, PolicyChange{Base: base.Version(), Reason: "sooner", Cells: []PolicyCell{{Role: policy.Analyst, Action: "audit.read", Effect: "allow"}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range v.Proposals {
				if p.State == "open" {
					if _, err := a.DecideProposal(context.Background(), approver, p.ID, ProposalDecision{Verdict: VerdictApprove, Reason: "fine"}); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			a, author, approver, version := underReview(t)
			approvedForLater(t, a, author, approver, version)
			meanwhile(t, a, author, approver)
			if err := a.activateDue(context.Background()); err != nil {
				t.Fatal(err)
			}
			v, err := a.Policy(context.Background(), author)
			if err != nil || len(v.Proposals) != 0 {
				t.Fatalf("%v, still waiting: %+v", err, v.Proposals)
			}
			if a.decide(ask{caller: caller(t, a, policy.Reviewer), action: policy.Export}).Allow || a.decide(ask{caller: identity.Caller{ID: "user:x", Roles: []string{policy.Analyst}, Workspace: a.workspace}, action: policy.Export}).Allow {
				t.Error("the change is in force all the same")
			}
			if n := count(events(t, a), "POLICY.LAPSED.OK"); n != 1 {
				t.Errorf("%d entries say that it lapsed", n)
			}
		})
	}
}

func TestNoDecisionButThree(t *testing.T) {
	a, author, approver, version := underReview(t)
	v, err := a.ChangePolicy(context.Background(), author, PolicyChange{Base: version, Reason: "a change", Cells: []PolicyCell{{Role: policy.Analyst, Action: "export", Effect: "allow"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.DecideProposal(context.Background(), approver, v.Proposals[0].ID, ProposalDecision{Verdict: "maybe", Reason: "well"}); !errors.Is(err, ErrInput) {
		t.Errorf("a fourth decision: %v", err)
	}
	if v, err := a.Policy(context.Background(), author); err != nil || len(v.Proposals) != 1 || v.Proposals[0].State != "open" {
		t.Errorf("%v %+v", err, v.Proposals)
	}
}
