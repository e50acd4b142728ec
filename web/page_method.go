package web

import (
	"net/http"

	"vitrine/explain"
	"vitrine/explain/catalogue"
	"vitrine/explain/faithfulness"
	"vitrine/policy"
	"vitrine/views"
)

func init() {
	page(http.MethodGet, "/methods", policy.ModelRead, methodsPage)
	page(http.MethodGet, "/methods/:id", policy.ModelRead, methodPage)
	page(http.MethodPost, "/methods/:id/check", policy.Explain, methodCheck)
}

// families are the families of methods in the order of the page.
var families = []string{"gradient", "attention", "perturbation", "cam", "internal", "counterfactual"}

func methodsPage(c *Context) error {
	standing, err := c.standing()
	if err != nil {
		return err
	}
	m := views.Catalogue{Shell: c.shell("methods")}
	for _, f := range families {
		family := views.CatalogueFamily{Name: f}
		for _, x := range explain.Methods() {
			if x.Family == f {
				family.Rows = append(family.Rows, catalogued(x, standing[x.ID]))
			}
		}
		m.Families = append(m.Families, family)
	}
	for _, t := range faithfulness.All() {
		m.Tables = append(m.Tables, faithTable(t, ""))
	}
	return c.Page(http.StatusOK, views.CataloguePage(m))
}

func methodPage(c *Context) error {
	m, err := c.method(c.Param("id"))
	if err != nil {
		return err
	}
	return c.Page(http.StatusOK, views.MethodPage(m))
}

func (c *Context) method(id string) (views.CatalogueEntry, error) {
	x, ok := explain.Lookup(id)
	if !ok {
		return views.CatalogueEntry{}, errNoRoute
	}
	standing, err := c.standing()
	if err != nil {
		return views.CatalogueEntry{}, err
	}
	m := views.CatalogueEntry{Shell: c.shell("methods"), Method: catalogued(x, standing[id])}
	for _, t := range faithfulness.All() {
		if own := faithTable(t, id); len(own.Rows) > 0 {
			m.Tables = append(m.Tables, own)
		}
	}
	return m, nil
}

// standing is how every method stands for every registered model.
func (c *Context) standing() (map[string][]views.CatalogueModel, error) {
	list, err := c.App.Models(c.Ctx(), c.Caller)
	if err != nil {
		return nil, err
	}
	out := map[string][]views.CatalogueModel{}
	for _, x := range list {
		name := x.Name + "@" + x.Version
		methods, err := c.App.Methods(c.Ctx(), c.Caller, name)
		if err != nil {
			continue // a model that cannot be opened suits no method; its own page says why
		}
		checks, err := c.App.SanityChecks(c.Ctx(), c.Caller, name)
		if err != nil {
			return nil, err
		}
		outcome := map[string]string{}
		for _, s := range checks {
			outcome[s.Method] = sanityWord(s.Passed)
		}
		for _, m := range methods {
			out[m.ID] = append(out[m.ID], views.CatalogueModel{Name: name, Suitable: m.Suitable, Why: plainWhy(m.Why), Sanity: outcome[m.ID], Checkable: m.Allowed,
				Work: views.Method{ID: m.ID, Forwards: m.Forwards, Gradients: m.Gradients, Seconds: m.Seconds}})
		}
	}
	return out, nil
}

func sanityWord(passed bool) string {
	if passed {
		return "passed"
	}
	return "failed"
}

func catalogued(x explain.Method, models []views.CatalogueModel) views.CatalogueMethod {
	e, _ := catalogue.Lookup(x.ID)
	m := views.CatalogueMethod{ID: x.ID, Version: x.Version, Family: x.Family, Modalities: x.Modalities, Signed: x.Signed, Complete: x.Complete,
		Formula: e.Formula, Source: e.Source, URL: e.URL, Failures: e.Failures, Models: models}
	for _, p := range x.Params {
		m.Params = append(m.Params, views.Param{Name: p.Name, Type: p.Type, Value: paramText(p.Default), Min: p.Min, Max: p.Max, Enum: p.Enum, Help: p.Help})
	}
	return m
}

// faithTable is a committed table as pages draw it, of one method or ("") of all.
func faithTable(t *faithfulness.Table, only string) views.FaithTable {
	out := views.FaithTable{Model: t.Model, Data: t.Data, Digest: t.Digest, Inputs: t.Inputs, Of: t.Of, Draws: t.Draws}
	seen := map[views.FaithColumn]int{}
	for _, r := range t.Methods {
		for _, f := range r.Figures {
			key := views.FaithColumn{ID: f.ID, Mode: f.Mode}
			if _, ok := seen[key]; !ok && f.ID != "mprt" {
				seen[key] = len(out.Columns)
				out.Columns = append(out.Columns, key)
			}
		}
	}
	for _, r := range t.Methods {
		if only != "" && r.Method != only {
			continue
		}
		row := views.FaithRow{Method: r.Method, Cells: make([]views.FaithCell, len(out.Columns))}
		for _, f := range r.Figures {
			if i, ok := seen[views.FaithColumn{ID: f.ID, Mode: f.Mode}]; ok {
				row.Cells[i] = views.FaithCell{Known: true, Better: f.Better(), Mean: f.Mean, Control: f.Control}
			}
		}
		if r.Sanity != nil {
			row.Sanity = sanityWord(r.Sanity.Passed)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// methodCheck starts the randomisation check of a method on a model.
func methodCheck(c *Context) error {
	v, err := c.App.StartSanity(c.Ctx(), c.Caller, c.FormValue("model"), c.Param("id"))
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/jobs/"+v.ID)
	}
	p := problem(err, c.RequestID)
	if p.Decision != nil || p.Status >= http.StatusInternalServerError {
		return err
	}
	m, merr := c.method(c.Param("id"))
	if merr != nil {
		return merr
	}
	m.Error, m.Hint = c.say(p)
	return c.Page(p.Status, views.MethodPage(m))
}
