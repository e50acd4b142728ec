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
}

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
