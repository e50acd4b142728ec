package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

type modelBody struct {
	Folder  string `json:"folder" schema:"minLength=1;maxLength=1000;pattern=path;says=holds a NUL"`
	Name    string `json:"name,omitempty" schema:"pattern=model"`
	Version string `json:"version,omitempty" schema:"pattern=version"`
}

// importBody names a checkpoint elsewhere.
type importBody struct {
	Source   string `json:"source" schema:"minLength=1;maxLength=1000;pattern=path;says=holds a NUL"`
	SHA256   string `json:"sha256,omitempty" schema:"maxLength=64"`
	Revision string `json:"revision,omitempty" schema:"maxLength=200"`
	Inside   string `json:"inside,omitempty" schema:"maxLength=1000;pattern=path;says=holds a NUL"`
	Name     string `json:"name,omitempty" schema:"pattern=model"`
	Version  string `json:"version,omitempty" schema:"pattern=version"`
}

// ModelList is every registered model version.
type ModelList struct {
	Items []app.ModelView `json:"items"`
}

// MethodList is every explanation method with its cost for one model.
type MethodList struct {
	Items []app.MethodView `json:"items"`
}

func init() {
	api(http.MethodGet, "/api/v1/models", policy.ModelRead, Doc{Summary: "Every registered model version", Reply: ModelList{}}, modelList)
	api(http.MethodPost, "/api/v1/models", policy.ModelAdd, Doc{
		Summary: "Check a checkpoint folder on the server's machine and register it by digest", Body: modelBody{}, Reply: app.ModelView{}, Status: http.StatusCreated,
		Extra: []int{http.StatusConflict, http.StatusNotFound},
	}, modelCreate)
	api(http.MethodPost, "/api/v1/models/imports", policy.ModelAdd, Doc{
		Summary: "Fetch a checkpoint by a job, from a hub's repository, an address or an archive, check it and register it by digest", Body: importBody{}, Reply: app.TaskView{},
		Status: http.StatusAccepted, Extra: []int{http.StatusConflict, http.StatusNotFound},
	}, modelImport)
	api(http.MethodGet, "/api/v1/models/:name", policy.ModelRead, Doc{Summary: "One model: name, name@version or digest", Reply: app.ModelView{}}, modelGet)
	api(http.MethodGet, "/api/v1/models/:name/methods", policy.ModelRead, Doc{Summary: "Explanation methods for a model, with parameters and cost", Reply: MethodList{}}, methodList)
}

func modelList(c *Context) error {
	v, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ModelList{Items: v})
}

func modelCreate(c *Context) error {
	var b modelBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	v, err := c.App.AddModel(c.Ctx(), c.Caller, b.Folder, b.Name, b.Version)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func modelImport(c *Context) error {
	var b importBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	return c.accepted(c.App.StartImport(c.Ctx(), c.Caller, app.ImportRequest(b)))
}

func modelGet(c *Context) error {
	v, err := c.App.Model(c.Ctx(), c.Caller, c.param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func methodList(c *Context) error {
	v, err := c.App.Methods(c.Ctx(), c.Caller, c.param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, MethodList{Items: v})
}
