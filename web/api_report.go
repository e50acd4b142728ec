package web

import (
	"bytes"
	"net/http"
	"strings"

	"vitrine/audit/report"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/web/app"
)

// Forms of a report.
var reportForms = []string{"json", "html", "pdf"}

func init() {
	for _, k := range app.ReportKinds() {
		args := []Arg{choice("format", "json (the default), html or pdf", reportForms...), choice("language", "of html and pdf: en (the default) or zh-Hans", i18n.Languages...)}
		switch k.Subject {
		case "range":
			args = append(args, rangeArgs...)
		default:
			args = append(args, text("subject", "id of the prediction, or name of the model"))
		}
		if k.ID == "incident" {
			args = append(args, Arg{Name: "told", Summary: "what happened, in the author's words", Schema: obj{"type": "string", "maxLength": 4000}})
		}
		if len(k.Depths) > 0 {
			args = append(args, choice("depth", strings.Join(k.Depths, ", "), k.Depths...))
		}
		api(http.MethodGet, "/api/v1/reports/"+k.ID, k.Action, Doc{
			Summary: "A report made from what is recorded; that it was made is recorded too", Reply: report.Document{}, Query: args, Extra: []int{http.StatusNotFound, http.StatusUnprocessableEntity}},
			func(c *Context) error { return reportGet(c, k) })
	}
}

func reportGet(c *Context, k app.ReportKind) error {
	q := query{c: c}
	r := app.ReportRequest{Kind: k.ID, RequestID: c.RequestID}
	form, lang := q.oneOf("format", reportForms...), q.oneOf("language", i18n.Languages...)
	switch k.Subject {
	case "range":
		r.After, r.Until = q.when("after"), q.when("until")
	default:
		r.Subject = q.str("subject")
	}
	if k.ID == "incident" {
		r.Told = c.QueryParam("told")
	}
	if len(k.Depths) > 0 {
		r.Depth = q.oneOf("depth", k.Depths...)
	}
	if q.err != nil {
		return q.err
	}
	d, err := c.App.Report(c.Ctx(), c.Caller, r)
	if err != nil {
		return err
	}
	if lang == "" {
		lang = i18n.Languages[0]
	}
	return c.report(d, form, lang)
}

// report answers with a report in one of its forms.
func (c *Context) report(d *report.Document, form, lang string) error {
	var b bytes.Buffer
	media := "application/json"
	var err error
	switch form {
	case "html":
		media = "text/html; charset=utf-8"
		err = views.WriteDocument(&b, d, lang)
	case "pdf":
		media = "application/pdf"
		_, err = views.WritePDF(&b, d, lang)
	default:
		form = "json"
		var data []byte
		data, err = d.JSON()
		b.Write(data)
	}
	if err != nil {
		return err
	}
	name := "vitrine-" + d.Kind + "-" + strings.ReplaceAll(d.Created[:19], ":", "") + "." + form
	h := c.Response().Header()
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, media, b.Bytes())
}
