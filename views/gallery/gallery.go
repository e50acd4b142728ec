// Package gallery shows every page in every state with made-up contents: for
// people who change the look, and for the tests that run over it (language,
// theme, accessibility, print). Nothing here is read from a database.
package gallery

import (
	"net/http"
	"sort"

	"github.com/a-h/templ"

	"vitrine/static"
	"vitrine/views"
	"vitrine/views/i18n"
)

// State is one page in one state.
type State struct {
	Name string // prediction-text, audit-empty, …
	Page func(views.Shell) templ.Component
}

var states []State

func register(name string, page func(views.Shell) templ.Component) {
	for _, s := range states {
		if s.Name == name {
			panic("gallery: two states named " + name)
		}
	}
	states = append(states, State{name, page})
}

// States lists all states by name.
func States() []State {
	out := append([]State(nil), states...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Handler serves the index at / and each state at /NAME; the query takes lang
// and theme. Assets are served too, so that the gallery needs no other server.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler())
	mux.HandleFunc("GET /sample/digit.png", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(samplePNG())
	})
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		for _, s := range states {
			if s.Name == r.PathValue("name") {
				write(w, r, s.Page(shell(r)))
				return
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { write(w, r, index(shell(r), States())) })
	return mux
}

func shell(r *http.Request) views.Shell {
	s := Shell(i18n.Match(r.URL.Query().Get("lang")), r.URL.Query().Get("theme"))
	s.URL = r.URL.RequestURI()
	s.Palette = r.URL.Query().Get("palette")
	return s
}

func write(w http.ResponseWriter, r *http.Request, page templ.Component) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'")
	if err := page.Render(i18n.With(r.Context(), shell(r).Lang), w); err != nil {
		http.Error(w, "gallery: page cannot be drawn", http.StatusInternalServerError)
	}
}
