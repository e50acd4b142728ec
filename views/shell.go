// Package views draws the console and the printed reports. Every page is a
// pure function of its view-model struct, which stands beside its template;
// nothing here reads a database, decides, masks or computes an explanation.
//
// A view model holds plain values. What the reader may not see is not in it:
// obligations are applied before, in web/app.
package views

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"

	"vitrine/views/i18n"
	"vitrine/views/ui"
)

// Shell is what every page shows around its content.
type Shell struct {
	Lang    string // "en" or "zh-Hans"
	Theme   string // "light", "dark", or "" for the system's
	Density string // "compact" or ""
	Palette string // "purple-green" or "" for orange and blue
	URL     string // path and query of this page, for the language and theme links

	Nav    string          // the current entry of the navigation
	Locked map[string]bool // entries that the policy refuses this caller

	User      string // display name; empty when nobody is signed in
	Role      string // the role's fixed word, for data-role
	Workspace string
	Demo      bool // throw-away data, said on every page

	RequestID     string
	PolicyVersion int64
	LogSize       int64
	Anchor        time.Time // when others last vouched for the log; zero where nobody does
	LogState      string    // "ok", "bad", or "" where it has not been checked
	LogVerified   time.Time
	Version       string // of the program

	// Print is the address of a style sheet with the footer of printed pages: it
	// names the record, which page footers cannot read from the page.
	Print string
}

// navGroup is one block of the side navigation.
type navGroup struct {
	name  string
	items []navItem
}

type navItem struct{ id, icon, url string }

var navigation = []navGroup{
	{"work", []navItem{{"dashboard", "home", "/"}, {"playground", "play", "/playground"}, {"predictions", "list", "/predictions"}, {"reviews", "users", "/reviews"}}},
	{"assurance", []navItem{{"audit", "log", "/audit"}, {"reports", "file", "/reports"}, {"exports", "down", "/exports"}, {"policies", "shield", "/policies"}}},
	{"system", []navItem{{"models", "box", "/models"}, {"methods", "eye", "/methods"}, {"jobs", "clock", "/jobs"}, {"people", "users", "/people"}, {"help", "help", "/help"}}},
}

// Render writes a page in the shell's language.
func Render(ctx context.Context, w io.Writer, s Shell, page templ.Component) error {
	return page.Render(i18n.With(ctx, s.Lang), w)
}

// otherLang is the address of this page in the other language, and its name in it.
func (s Shell) otherLang() (url, lang, name string) {
	if s.Lang == "zh-Hans" {
		return ui.Set(s.URL, "lang", "en"), "en", "English"
	}
	return ui.Set(s.URL, "lang", "zh-Hans"), "zh-Hans", "中文"
}

// nextTheme is the theme after this one: system, light, dark, system.
func (s Shell) nextTheme() string {
	switch s.Theme {
	case "light":
		return "dark"
	case "dark":
		return "system"
	}
	return "light"
}

func (s Shell) root() templ.Attributes {
	a := templ.Attributes{}
	if s.Theme == "light" || s.Theme == "dark" {
		a["data-theme"] = s.Theme
	}
	if s.Density == "compact" {
		a["data-density"] = s.Density
	}
	if s.Palette == "purple-green" {
		a["data-palette"] = s.Palette
	}
	return a
}

func (s Shell) lang() string {
	if s.Lang == "" {
		return i18n.Languages[0]
	}
	return s.Lang
}
