package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

func init() {
	api(http.MethodGet, "/api/v1/policies", policy.PolicyRead, Doc{Summary: "The policy in force: matrix, rules, versions", Reply: app.PolicyView{}}, policyGet)
	api(http.MethodPost, "/api/v1/policies", policy.PolicyEdit, Doc{
		Summary: "Change cells of the matrix; makes a new version with the reason, in force at once", Body: app.PolicyChange{}, Reply: app.PolicyView{}, Status: http.StatusCreated,
		Extra: []int{http.StatusConflict},
	}, policyChange)
	api(http.MethodPost, "/api/v1/policies/preview", policy.PolicyEdit, Doc{
		Summary: "What an edit of the matrix would change, for every role and for the decisions of the past; changes nothing", Body: app.PolicyProposal{}, Reply: app.PolicyPreview{},
		Extra: []int{http.StatusConflict},
	}, policyPreview)
	api(http.MethodPost, "/api/v1/policies/rollback", policy.PolicyEdit, Doc{
		Summary: "Put the rules of an earlier version into force again, as a new version", Body: app.PolicyRollback{}, Reply: app.PolicyView{}, Status: http.StatusCreated,
		Extra: []int{http.StatusConflict, http.StatusNotFound},
	}, policyRollback)
	api(http.MethodGet, "/api/v1/policies/proposals/:id", policy.PolicyRead, Doc{
		Summary: "A change that waits for a second person, and what it would change", Reply: proposalReply{}}, proposalGet)
	api(http.MethodPost, "/api/v1/policies/proposals/:id", policy.PolicyApprove, Doc{
		Summary: "Approve, reject or (its author) withdraw a change that waits", Body: app.ProposalDecision{}, Reply: app.PolicyView{}, Extra: []int{http.StatusConflict},
	}, proposalDecide)
	api(http.MethodGet, "/api/v1/policies/file", policy.PolicyRead, Doc{Summary: "The policy in force as Casbin's tools read it", Media: "text/csv"}, policyFile)
	api(http.MethodPut, "/api/v1/policies/file", policy.PolicyEdit, Doc{
		Summary: "Put the rules of a file into force, as a new version", Body: app.PolicyImport{}, Reply: app.PolicyView{}, Status: http.StatusCreated, Extra: []int{http.StatusConflict},
	}, policyImport)
	api(http.MethodGet, "/api/v1/policies/who-can", policy.PolicyRead, Doc{
		Summary: "The roles, people and keys that can ever do something, and how they come to it", Reply: app.ReachView{},
		Query: []Arg{choice("action", "predict, explain, …", actionWords()...), text("object", "model:NAME, prediction:ID, …; empty = any")},
	}, whoCan)
	api(http.MethodGet, "/api/v1/policies/what-can", policy.PolicyRead, Doc{
		Summary: "Everything that a role, person or key can ever do", Reply: app.ReachView{},
		Query: []Arg{text("subject", "role:NAME, user:ID or key:ID")}, Extra: []int{http.StatusNotFound},
	}, whatCan)
}

func actionWords() []string { return closedLists["actions"]() }

func policyGet(c *Context) error {
	v, err := c.App.Policy(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func policyChange(c *Context) error {
	var r app.PolicyChange
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.ChangePolicy(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func policyPreview(c *Context) error {
	var r app.PolicyProposal
	if err := c.Decode(&r); err != nil {
		return err
	}
	v, err := c.App.PreviewPolicy(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func policyRollback(c *Context) error {
	var r app.PolicyRollback
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.RollBackPolicy(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func policyImport(c *Context) error {
	var r app.PolicyImport
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.ImportPolicy(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func policyFile(c *Context) error {
	b, err := c.App.PolicyFile(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="policy.csv"`)
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", b)
}

func whoCan(c *Context) error {
	q := query{c: c}
	action, object := q.oneOf("action", actionWords()...), q.str("object")
	if q.err != nil {
		return q.err
	}
	v, err := c.App.WhoCan(c.Ctx(), c.Caller, action, object)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func whatCan(c *Context) error {
	q := query{c: c}
	subject := q.str("subject")
	if q.err != nil {
		return q.err
	}
	v, err := c.App.WhatCan(c.Ctx(), c.Caller, subject)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

// proposalReply is a waiting change with its preview.
type proposalReply struct {
	app.ProposalView
	Preview *app.PolicyPreview `json:"preview"`
}

func proposalGet(c *Context) error {
	p, v, err := c.App.PreviewProposal(c.Ctx(), c.Caller, c.param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, proposalReply{*p, v})
}

func proposalDecide(c *Context) error {
	var r app.ProposalDecision
	if err := c.Decode(&r); err != nil {
		return err
	}
	r.RequestID = c.RequestID
	v, err := c.App.DecideProposal(c.Ctx(), c.Caller, c.param("id"), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}
