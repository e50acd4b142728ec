package web

import (
	"net/http"
	"strconv"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

// changed goes on to the page that says what became of a change of version base: in
// force, or waiting for a second person.
func (c *Context) changed(v *app.PolicyView, base int64, what string) error {
	if v.Version == base {
		what = "proposed"
	}
	return c.Redirect(http.StatusSeeOther, "/policies?changed="+what)
}

// waiting is a proposal as the page shows it to this reader.
func (c *Context) waiting(p app.ProposalView) views.Proposal {
	judge := c.App.May(c.Ctx(), c.Caller, string(policy.PolicyApprove), "policy:"+strconv.FormatInt(p.Base, 10))
	return views.Proposal{ID: p.ID, Base: p.Base, Author: c.actor(p.Author), Reason: p.Reason, Created: p.Created, Starts: p.Starts,
		Approved: p.State != "open", Own: p.Author == c.Caller.ID, MayJudge: judge.Effect == policy.EffectAllow}
}

// proposal shows one waiting change with what it would change.
func (c *Context) proposal(m *views.Policies, id string) error {
	p, changes, err := c.App.PreviewProposal(c.Ctx(), c.Caller, id)
	if err != nil {
		return err
	}
	shown := c.waiting(*p)
	m.Proposal = &shown
	m.Preview, err = preview(changes, nil)
	return err
}

func policyProposalPage(c *Context) error {
	id := c.FormValue("id")
	before, err := c.App.Policy(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	after, err := c.App.DecideProposal(c.Ctx(), c.Caller, id, app.ProposalDecision{Verdict: c.FormValue("verdict"), Reason: c.FormValue("reason"), RequestID: c.RequestID})
	if err == nil && after.Version != before.Version {
		return c.Redirect(http.StatusSeeOther, "/policies?changed=version+"+strconv.FormatInt(after.Version, 10))
	}
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/policies")
	}
	return c.policyAgain(err, func(_ *app.PolicyView, m *views.Policies) {
		if perr := c.proposal(m, id); perr != nil {
			m.Proposal = nil // decided meanwhile: the error says so
		}
	})
}
