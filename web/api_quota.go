package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

// QuotaList is every quota.
type QuotaList struct {
	Items []app.QuotaView `json:"items"`
}

type quotaBody struct {
	Kind      string `json:"kind" schema:"list=quota-kinds"`
	Object    string `json:"object" schema:"minLength=1;maxLength=100"`
	PerMinute int64  `json:"per_minute" schema:"minimum=0;maximum=1000000000"`
	PerDay    int64  `json:"per_day" schema:"minimum=0;maximum=1000000000"`
}

func init() {
	closedLists["quota-kinds"] = func() []string { return app.QuotaKinds }
	api(http.MethodGet, "/api/v1/quotas", policy.KeyManage, Doc{Summary: "How often users, keys and models may be used", Reply: QuotaList{}}, quotaList)
	api(http.MethodPut, "/api/v1/quotas", policy.KeyManage, Doc{
		Summary: "Set a quota; without a bound it is removed", Body: quotaBody{}, Status: http.StatusNoContent, Extra: []int{http.StatusNotFound, http.StatusConflict}}, quotaSet)
}

func quotaList(c *Context) error {
	v, err := c.App.Quotas(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, QuotaList{Items: v})
}

func quotaSet(c *Context) error {
	var q quotaBody
	if err := c.Decode(&q); err != nil {
		return err
	}
	if err := c.App.SetQuota(c.Ctx(), c.Caller, app.QuotaView(q)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
