package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/policy/privacy"
	"vitrine/views"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/policies", policy.PolicyRead, policiesPage)
	page(http.MethodPost, "/policies", policy.PolicyEdit, policyChangePage)
	page(http.MethodPost, "/policies/rollback", policy.PolicyEdit, policyRollbackPage)
	page(http.MethodPost, "/policies/proposals", policy.PolicyApprove, policyProposalPage)
}

// actionGroups are the blocks of the matrix, in order.
var actionGroups = []struct {
	name    string
	actions []policy.Action
}{
	{"predictions", []policy.Action{policy.Predict, policy.Generate, policy.Explain, policy.PredictionRead, policy.PredictionReveal}},
	{"models", []policy.Action{policy.ModelRead, policy.ModelAdd, policy.ModelApprove}},
	{"evidence", []policy.Action{policy.AuditRead, policy.Export}},
	{"policy", []policy.Action{policy.PolicyRead, policy.PolicyEdit, policy.PolicyApprove}},
	{"people", []policy.Action{policy.UserManage, policy.KeyManage, policy.PrivacyManage, policy.ReviewDecide, policy.JobManage}},
}

// dutiful are the actions whose rules can carry obligations.
var dutiful = map[policy.Action]bool{policy.Predict: true, policy.Generate: true, policy.Explain: true, policy.PredictionRead: true}

func policiesPage(c *Context) error {
	v, err := c.App.Policy(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	m := c.policies(v)
	m.Changed = c.QueryParam("changed")
	role, action := c.QueryParam("role"), policy.Action(c.QueryParam("action"))
	if m.CanEdit && policy.KnownRole(role) && action.Known() {
		m.Edit = c.cellForm(v, role, action)
	} else if n, err := strconv.ParseInt(c.QueryParam("rollback"), 10, 64); err == nil && m.CanEdit {
		if m.Preview, err = preview(c.App.PreviewRollback(c.Ctx(), c.Caller, v.Version, n)); err != nil {
			return err
		}
		m.Rollback = &views.RollbackForm{Base: v.Version, Version: n}
	} else if id := c.QueryParam("proposal"); id != "" {
		if err := c.proposal(&m, id); err != nil {
			return err
		}
	}
	return c.Page(http.StatusOK, views.PoliciesPage(m))
}

func (c *Context) policies(v *app.PolicyView) views.Policies {
	m := views.Policies{Shell: c.shell("policies"), Version: v.Version, Hash: v.Hash, Author: c.actor(v.Author), Reason: v.Reason, Time: v.Time,
		Roles: v.Roles, Rules: v.Rules, Warnings: v.Warnings}
	m.CanEdit = c.App.May(c.Ctx(), c.Caller, string(policy.PolicyEdit), "policy:"+strconv.FormatInt(v.Version, 10)).Effect == policy.EffectAllow
	for _, g := range actionGroups {
		group := views.ActionGroup{Name: g.name}
		for _, a := range g.actions {
			row := views.ActionRow{Action: string(a)}
			for _, role := range v.Roles {
				row.Cells = append(row.Cells, cellOf(v, role, a))
			}
			group.Actions = append(group.Actions, row)
		}
		m.Groups = append(m.Groups, group)
	}
	for _, x := range v.Versions {
		m.Versions = append(m.Versions, views.PolicyVersion{Version: x.Version, Hash: x.Hash, Author: c.actor(x.Author), Reason: x.Reason, Time: x.Time, Active: x.Active})
	}
	for _, p := range v.Proposals {
		m.Waiting = append(m.Waiting, c.waiting(p))
	}
	return m
}

func cellOf(v *app.PolicyView, role string, a policy.Action) views.Cell {
	for _, x := range v.Cells {
		if x.Role == role && x.Action == string(a) {
			return views.Cell{Role: role, State: x.State, Rules: x.Rules}
		}
	}
	return views.Cell{Role: role, State: policy.CellNone}
}

// cellForm is the form of one cell as it stands.
func (c *Context) cellForm(v *app.PolicyView, role string, action policy.Action) *views.CellForm {
	f := &views.CellForm{Base: v.Version, Role: role, Action: string(action), Effect: "none", Duties: dutiful[action]}
	var o policy.Obligations
	chosen := ""
	for _, r := range cellOf(v, role, action).Rules {
		if f.Effect == "none" || r.Condition == "" {
			f.Effect, f.Condition, o, chosen = r.Effect, r.Condition, r.Obligations, r.ID
		}
	}
	f.Others, f.Keep = otherRules(v, role, action, chosen), true
	f.Level, f.Clear = o.ExplanationLevel, o.ModelSeesClear
	f.Reviewed, f.Review = action == policy.PolicyEdit, o.Review
	if o.Round != nil {
		f.Round = strconv.Itoa(*o.Round)
	}
	c.choices(f, o.Mask, o.ForbidMethods)
	if action == policy.Explain {
		f.Gate = c.gateForm(o.Gate)
	}
	return f
}

// otherRules are the rules of a cell besides the one that the form shows.
func otherRules(v *app.PolicyView, role string, action policy.Action, shown string) []policy.Rule {
	var out []policy.Rule
	for _, r := range cellOf(v, role, action).Rules {
		if r.ID != shown {
			out = append(out, r)
		}
	}
	return out
}

// choices lists what can be masked and forbidden, with what is chosen.
func (c *Context) choices(f *views.CellForm, mask, forbid []string) {
	for _, r := range privacy.Recognisers() {
		f.Mask = append(f.Mask, views.Choice{Value: r.ID, Text: views.RecogniserName(c.Ctx(), r.ID), Selected: slices.Contains(mask, r.ID) || slices.Contains(mask, policy.MaskAll)})
	}
	for _, id := range explain.IDs() {
		f.Forbid = append(f.Forbid, views.Choice{Value: id, Text: views.MethodName(c.Ctx(), id), Selected: slices.Contains(forbid, id)})
	}
}

// cellChange is the cell as the form would set it.
func cellChange(form url.Values) app.PolicyCell {
	condition := strings.TrimSpace(form.Get("condition"))
	cell := app.PolicyCell{Role: form.Get("role"), Action: form.Get("action"), Effect: form.Get("effect"), Condition: &condition, KeepOthers: form.Get("keep") != ""}
	if policy.Action(cell.Action) == policy.PolicyEdit && cell.Effect == policy.EffectAllow {
		cell.Obligations = &app.ObligationsChange{Review: form.Get("review") != ""}
	}
	if dutiful[policy.Action(cell.Action)] && cell.Effect == policy.EffectAllow {
		o := &app.ObligationsChange{Mask: form["mask"], ExplanationLevel: form.Get("level"), ForbidMethods: form["forbid"]}
		if n, err := strconv.Atoi(form.Get("round")); err == nil {
			o.Round = &n
		}
		if policy.Action(cell.Action) == policy.Explain {
			o.Gate = gateChange(form)
		}
		cell.Obligations = o
	}
	return cell
}

func policyChangePage(c *Context) error {
	form, err := c.FormParams()
	if err != nil {
		return invalid("the form cannot be read", "send it again from the page")
	}
	base, err := strconv.ParseInt(form.Get("base"), 10, 64)
	if err != nil {
		return invalid("the form does not say which version it changes", "load the page again")
	}
	cell := cellChange(form)
	var shown *views.PolicyPreview
	if form.Get("preview") != "" {
		shown, err = preview(c.App.PreviewPolicy(c.Ctx(), c.Caller, app.PolicyProposal{Base: base, Cells: []app.PolicyCell{cell}}))
	} else {
		v, cerr := c.App.ChangePolicy(c.Ctx(), c.Caller, app.PolicyChange{Base: base, Cells: []app.PolicyCell{cell}, Reason: form.Get("reason"), RequestID: c.RequestID})
		if cerr == nil {
			return c.changed(v, base, cell.Role+"+"+cell.Action)
		}
		err = cerr
	}
	return c.policyAgain(err, func(v *app.PolicyView, m *views.Policies) {
		m.Preview = shown
		action := policy.Action(cell.Action)
		if !policy.KnownRole(cell.Role) || !action.Known() {
			return
		}
		f := &views.CellForm{Base: v.Version, Role: cell.Role, Action: cell.Action, Effect: cell.Effect, Condition: *cell.Condition, Level: form.Get("level"),
			Round: form.Get("round"), Reason: form.Get("reason"), Duties: dutiful[action], Keep: cell.KeepOthers,
			Reviewed: action == policy.PolicyEdit, Review: form.Get("review") != ""}
		f.Others = c.cellForm(v, cell.Role, action).Others
		c.choices(f, form["mask"], form["forbid"])
		if action == policy.Explain {
			f.Gate = c.gateForm((*policy.Gate)(gateChange(form)))
		}
		m.Edit = f
	})
}

func policyRollbackPage(c *Context) error {
	base, err1 := strconv.ParseInt(c.FormValue("base"), 10, 64)
	version, err2 := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err1 != nil || err2 != nil {
		return invalid("the form does not say which version to go back to", "load the page again")
	}
	v, err := c.App.RollBackPolicy(c.Ctx(), c.Caller, app.PolicyRollback{Base: base, Version: version, Reason: c.FormValue("reason"), RequestID: c.RequestID})
	if err == nil {
		return c.changed(v, base, "version+"+strconv.FormatInt(version, 10))
	}
	return c.policyAgain(err, func(v *app.PolicyView, m *views.Policies) {
		m.Rollback = &views.RollbackForm{Base: v.Version, Version: version, Reason: c.FormValue("reason")}
	})
}

// policyAgain shows the page again with the form as it was sent and, where err is not
// nil, why nothing was changed.
func (c *Context) policyAgain(err error, fill func(*app.PolicyView, *views.Policies)) error {
	status := http.StatusOK
	var p Problem
	if err != nil {
		p = problem(err, c.RequestID)
		if p.Decision != nil || p.Status >= http.StatusInternalServerError {
			return err
		}
		status = p.Status
	}
	v, verr := c.App.Policy(c.Ctx(), c.Caller)
	if verr != nil {
		return verr
	}
	m := c.policies(v)
	if err != nil {
		m.Error, m.Hint = c.say(p)
	}
	fill(v, &m)
	return c.Page(status, views.PoliciesPage(m))
}
