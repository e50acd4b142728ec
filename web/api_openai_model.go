package web

import (
	"net/http"
	"net/url"

	"vitrine/policy"
	"vitrine/web/app"
)

// oaModel is one model as these clients list it.
type oaModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Task    string `json:"task"`
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
}

type oaModels struct {
	Object string    `json:"object"`
	Data   []oaModel `json:"data"`
}

func init() {
	api(http.MethodGet, "/v1/models", policy.ModelRead, Doc{Summary: "OpenAI: the registered models", Reply: oaModels{}}, oaModelList)
	api(http.MethodGet, "/v1/models/*", policy.ModelRead, Doc{Summary: "OpenAI: one model", Reply: oaModel{}}, oaModelGet)
}

func oaModelOf(m app.ModelView) oaModel {
	return oaModel{ID: m.Name, Object: "model", Created: m.Added.Unix(), OwnedBy: "vitrine", Task: m.Task, Version: m.Version, Ready: m.Problem == ""}
}

func oaModelList(c *Context) error {
	list, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	out := oaModels{Object: "list", Data: []oaModel{}}
	seen := map[string]bool{}
	for _, m := range list { // the newest version first, which is what the bare name means
		if !seen[m.Name] {
			seen[m.Name] = true
			out.Data = append(out.Data, oaModelOf(m))
		}
	}
	return c.JSON(http.StatusOK, out)
}

func oaModelGet(c *Context) error {
	name, err := url.PathUnescape(c.Param("*"))
	if err != nil {
		return app.ErrUnknownModel
	}
	m, err := c.App.Model(c.Ctx(), c.Caller, name)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, oaModelOf(*m))
}
