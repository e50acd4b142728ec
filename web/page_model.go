package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/web/app"
)

func init() {
	page(http.MethodGet, "/models", policy.ModelRead, modelsPage)
	page(http.MethodGet, "/models/:name", policy.ModelRead, modelPage)
	page(http.MethodGet, "/models/:name/examples/:n", policy.ModelRead, modelExample)
}

func modelsPage(c *Context) error {
	list, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	m := views.Models{Shell: c.shell("models")}
	for _, x := range list {
		m.Rows = append(m.Rows, views.ModelRow{Model: modelRef(x.ModelRef), Task: x.Task, Modality: x.Modality, Parameters: x.Parameters,
			Labels: x.Labels, Predictions: x.Predictions, Source: x.Source, Added: x.Added})
	}
	return c.Page(http.StatusOK, views.ModelsPage(m))
}

func modelPage(c *Context) error {
	x, err := c.App.Model(c.Ctx(), c.Caller, c.param("name"))
	if err != nil {
		return err
	}
	m := views.Model{Shell: c.shell("models"), Model: modelRef(x.ModelRef), Task: x.Task, Family: x.Family, Architecture: x.Architecture, Modality: x.Modality,
		Labels: x.Labels, Parameters: x.Parameters, DType: x.DType, Layers: x.Layers, Heads: x.Heads, MaxTokens: x.MaxTokens, Image: x.ImageSize,
		Source: x.Source, Added: x.Added, AddedBy: c.actor(x.AddedBy), Card: x.Card, Predictions: x.Predictions, Methods: methods(x.Methods, nil, "")}
	for _, f := range x.Files {
		m.Files = append(m.Files, views.File{Name: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	if m.Stop, err = c.stop(x); err != nil {
		return err
	}
	return c.Page(http.StatusOK, views.ModelPage(m))
}

// modelExample is a picture that comes with a model.
func modelExample(c *Context) error {
	x, err := c.App.Model(c.Ctx(), c.Caller, c.param("name"))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Param("n"))
	if err != nil || n < 0 || n >= len(x.Examples.Images) {
		return errNoRoute
	}
	data := x.Examples.Images[n].Data
	c.Response().Header().Set("Cache-Control", "private, max-age=3600")
	return c.Blob(http.StatusOK, http.DetectContentType(data), data)
}

// methods brings methods into the form that pages draw. form holds what was
// typed, chosen the method that was picked.
func methods(list []app.MethodView, form url.Values, chosen string) []views.Method {
	var out []views.Method
	for _, x := range list {
		m := views.Method{ID: x.ID, Forwards: x.Forwards, Gradients: x.Gradients, Seconds: x.Seconds, Suitable: x.Suitable, Why: plainWhy(x.Why),
			Allowed: x.Allowed, Denial: x.Denial, Selected: x.ID == chosen}
		for _, p := range x.Params {
			v := views.Param{Name: p.Name, Type: p.Type, Min: p.Min, Max: p.Max, Enum: p.Enum, Help: p.Help, Value: paramText(p.Default)}
			if name := views.FieldName(x.ID, p.Name); form.Has(name) {
				v.Value = form.Get(name)
			}
			m.Params = append(m.Params, v)
		}
		out = append(out, m)
	}
	return out
}

// plainWhy takes the package's words off a sentence: the page says around it that
// the method does not fit.
func plainWhy(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(s, "explain: "), ": method does not suit the model")
}

func paramText(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return ""
}

// params takes a method's parameters out of a form; text is checked by the
// method itself.
func params(form url.Values, method string) map[string]any {
	out := map[string]any{}
	prefix := views.FieldName(method, "")
	for name, values := range form {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix && len(values) == 1 && values[0] != "" {
			out[name[len(prefix):]] = values[0]
		}
	}
	return out
}
