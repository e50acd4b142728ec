package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/policies/who-can", policy.PolicyRead, policyReachPage)
}

// policyReachPage answers who can do something, or what a subject can do; before a
// question, and after one that makes no sense, it shows the two forms.
func policyReachPage(c *Context) error {
	v, err := c.App.Policy(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	m := views.PolicyReach{Shell: c.shell("policies"), Version: v.Version, Actions: v.Actions,
		Action: c.QueryParam("action"), Object: c.QueryParam("object"), Subject: c.QueryParam("subject")}
	var found *app.ReachView
	switch {
	case m.Subject != "":
		found, err = c.App.WhatCan(c.Ctx(), c.Caller, m.Subject)
	case m.Action != "":
		found, err = c.App.WhoCan(c.Ctx(), c.Caller, m.Action, m.Object)
	default:
		return c.Page(http.StatusOK, views.PolicyReachPage(m))
	}
	if err != nil {
		p := problem(err, c.RequestID)
		if p.Decision != nil || p.Status >= http.StatusInternalServerError {
			return err
		}
		m.Error, m.Hint = c.say(p)
		return c.Page(p.Status, views.PolicyReachPage(m))
	}
	m.Asked, m.Version = true, found.PolicyVersion
	for _, x := range found.Items {
		m.Rows = append(m.Rows, views.ReachRow{Access: x.Access, Name: x.Name})
	}
	return c.Page(http.StatusOK, views.PolicyReachPage(m))
}

// preview is a preview as the page shows it.
func preview(p *app.PolicyPreview, err error) (*views.PolicyPreview, error) {
	if err != nil {
		return nil, err
	}
	out := &views.PolicyPreview{Warnings: p.Warnings, Decisions: p.Replay.Decisions, Changed: p.Replay.Changed}
	if p.Replay.Since != nil {
		out.Since = *p.Replay.Since
	}
	for _, x := range p.Changes {
		out.Changes = append(out.Changes, views.PolicyEffect{Role: x.Role, Action: x.Action, Gained: x.Gained, Lost: x.Lost, Duties: x.Obligations, Contexts: x.Contexts,
			Object: x.Example.Object, Purpose: x.Example.Purpose, Class: x.Example.DataClass, Method: x.Example.Method})
	}
	for _, r := range p.Replay.Rows {
		out.Rows = append(out.Rows, views.ReplayedAnswer{Index: r.Index, Time: r.Time, Actor: r.Actor, Action: r.Action, Object: r.Object, Purpose: r.Purpose, Before: r.Before, After: r.After})
	}
	return out, nil
}
