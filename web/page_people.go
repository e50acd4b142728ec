package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/people", policy.UserManage, peoplePage)
	page(http.MethodPost, "/people", policy.UserManage, invite)
	page(http.MethodPost, "/people/change", policy.UserManage, changeMember)
	page(http.MethodPost, "/people/keys", policy.KeyManage, keyAddPage)
	page(http.MethodPost, "/people/keys/disable", policy.KeyManage, keyDisablePage)
	page(http.MethodGet, "/invitation", Public, invitation)
	page(http.MethodPost, "/invitation", Public, acceptInvitation)
}

// peopleDone are what the page says happened; the changes of an account among them are
// what its form asks for.
var peopleDone = []string{"roles", "disabled", "authenticator-removed", "sessions-ended", "key-disabled"}

// rolesIn are all roles as choices, those given selected.
func (c *Context) rolesIn(selected []string) []views.Choice {
	out := make([]views.Choice, len(policy.Roles))
	for i, r := range policy.Roles {
		out[i] = views.Choice{Value: r, Text: i18n.Or(c.Ctx(), "name.role-"+r, r), Selected: slices.Contains(selected, r)}
	}
	return out
}

// people is the page with the account open whose id is given, "" for none.
func (c *Context) people(open string) (m views.People, err error) {
	m.Shell = c.shell("people")
	members, err := c.App.Members(c.Ctx(), c.Caller)
	if err != nil {
		return m, err
	}
	m.Roles, m.KeyRole = c.rolesIn(nil), c.rolesIn(nil)
	for _, v := range members {
		p := views.Member{ID: v.ID, Name: v.Name, Roles: v.Roles, Password: v.Password, Factor: v.Factor, Invited: v.Invited,
			Created: v.Created, Disabled: v.Disabled, Own: v.ID == c.Caller.ID}
		m.Members = append(m.Members, p)
		if v.ID == open && !v.Disabled {
			m.Edit, m.Roles = &p, c.rolesIn(v.Roles)
		}
	}
	if m.MayKeys = c.App.May(c.Ctx(), c.Caller, string(policy.KeyManage), "key:*").Effect == policy.EffectAllow; !m.MayKeys {
		return m, nil
	}
	keys, err := c.App.Keys(c.Ctx(), c.Caller)
	for _, k := range keys {
		m.Keys = append(m.Keys, views.APIKey{ID: k.ID, Name: k.Name, Prefix: k.Prefix, Roles: k.Roles, Created: k.Created, Expires: k.Expires, Used: k.LastUse, Disabled: k.Disabled})
	}
	return m, err
}

func peoplePage(c *Context) error {
	m, err := c.people(c.QueryParam("user"))
	if err != nil {
		return err
	}
	if done := c.QueryParam("done"); slices.Contains(peopleDone, done) {
		m.Done = done
	}
	return c.Page(http.StatusOK, views.PeoplePage(m))
}

// peopleAgain shows the page with the error of one of its forms, as it was filled in.
func (c *Context) peopleAgain(cause error, part, open string) error {
	p := problem(cause, c.RequestID)
	if p.Status >= http.StatusInternalServerError || p.Decision != nil || errors.Is(cause, app.ErrProof) || errors.Is(cause, app.ErrNotFound) {
		return cause
	}
	m, err := c.people(open)
	if err != nil {
		return err
	}
	m.Part, m.Name = part, c.FormValue("name")
	m.Error, m.Hint = c.say(p)
	typed := c.rolesIn(c.Request().Form["role"])
	if part == "key" {
		m.KeyRole = typed
	} else {
		m.Roles = typed
	}
	return c.Page(p.Status, views.PeoplePage(m))
}

// link is the address under which an invited person chooses the password.
func (c *Context) link(token string) string {
	base := "http://" + c.Request().Host
	if c.server.base != nil {
		base = c.server.base.Scheme + "://" + c.server.base.Host
	}
	return base + "/invitation?" + url.Values{"token": {token}}.Encode()
}

func invite(c *Context) error {
	name := c.FormValue("name")
	_, token, err := c.App.InviteUser(c.Ctx(), c.Caller, name, c.Request().Form["role"])
	if err != nil {
		return c.peopleAgain(err, "invite", "")
	}
	m, err := c.people("")
	if err != nil {
		return err
	}
	m.Name, m.Link = name, c.link(token)
	return c.Page(http.StatusOK, views.PeoplePage(m))
}

func changeMember(c *Context) error {
	id, what := c.FormValue("id"), c.FormValue("do")
	var err error
	switch what {
	case "roles":
		err = c.App.SetUserRoles(c.Ctx(), c.Caller, id, c.Request().Form["role"])
	case "disabled":
		err = c.App.DisableUser(c.Ctx(), c.Caller, id)
	case "authenticator-removed":
		err = c.App.ResetFactor(c.Ctx(), c.Caller, id)
	case "sessions-ended":
		err = c.App.EndUserSessions(c.Ctx(), c.Caller, id)
	case "invite":
		return inviteAgain(c, id)
	default:
		return invalid("there is no such change of an account", "use the buttons of the page")
	}
	if err != nil {
		return c.peopleAgain(err, "edit", id)
	}
	return c.Redirect(http.StatusSeeOther, "/people?done="+what)
}

func inviteAgain(c *Context, id string) error {
	token, err := c.App.InviteAgain(c.Ctx(), c.Caller, id)
	if err != nil {
		return c.peopleAgain(err, "edit", id)
	}
	m, err := c.people(id)
	if err != nil {
		return err
	}
	m.Link = c.link(token)
	if m.Edit != nil {
		m.Name = m.Edit.Name
	}
	return c.Page(http.StatusOK, views.PeoplePage(m))
}

func keyAddPage(c *Context) error {
	days, err := strconv.Atoi(c.FormValue("days"))
	if err != nil || days < 1 || days > 3650 {
		return c.peopleAgain(invalid("the number of days is not between 1 and 3650", "type a whole number"), "key", "")
	}
	k, err := c.App.AddKey(c.Ctx(), c.Caller, c.FormValue("name"), c.Request().Form["role"], time.Now().AddDate(0, 0, days))
	if err != nil {
		return c.peopleAgain(err, "key", "")
	}
	m, err := c.people("")
	if err != nil {
		return err
	}
	m.Name, m.Secret = k.Name, k.Key
	return c.Page(http.StatusOK, views.PeoplePage(m))
}

func keyDisablePage(c *Context) error {
	if err := c.App.DisableKey(c.Ctx(), c.Caller, c.FormValue("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/people?done=key-disabled")
}

func invitation(c *Context) error {
	return c.invitationPage(views.Invitation{Token: c.QueryParam("token")}, http.StatusOK)
}

// invitationPage says whom the link invites, or that it is dead.
func (c *Context) invitationPage(m views.Invitation, status int) (err error) {
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	m.Shell = c.shell("")
	m.Shell.URL = "/signin"
	if m.Name, err = c.App.Invited(c.Ctx(), m.Token); errors.Is(err, app.ErrSetup) {
		m.Dead, status, err = true, http.StatusForbidden, nil
	}
	if err != nil {
		return err
	}
	return c.Page(status, views.InvitationPage(m))
}

func acceptInvitation(c *Context) error {
	m := views.Invitation{Token: c.FormValue("token")}
	err := c.App.AcceptInvitation(c.Ctx(), m.Token, c.FormValue("password"))
	switch {
	case err == nil:
		return c.Redirect(http.StatusSeeOther, "/signin")
	case errors.Is(err, app.ErrPassword):
		p := problem(err, c.RequestID)
		m.Error, _ = c.say(p)
		return c.invitationPage(m, p.Status)
	case errors.Is(err, app.ErrSetup):
		return c.invitationPage(m, http.StatusForbidden)
	}
	return err
}
