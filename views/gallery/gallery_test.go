package gallery

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"vitrine/views/i18n"
)

// TestEveryState draws every page in every state, language and theme, and looks
// at what can be seen without a browser: texts, structure, labels, references.
func TestEveryState(t *testing.T) {
	if len(States()) < 30 {
		t.Fatalf("only %d states", len(States()))
	}
	for _, st := range States() {
		for _, lang := range i18n.Languages {
			for _, theme := range []string{"", "light", "dark"} {
				t.Run(st.Name+"/"+lang+"/"+theme, func(t *testing.T) {
					var b bytes.Buffer
					if err := st.Page(Shell(lang, theme)).Render(i18n.With(context.Background(), lang), &b); err != nil {
						t.Fatal(err)
					}
					doc, err := goquery.NewDocumentFromReader(&b)
					if err != nil {
						t.Fatal(err)
					}
					checkPage(t, doc, lang, theme)
				})
			}
		}
	}
}

func checkPage(t *testing.T, doc *goquery.Document, lang, theme string) {
	t.Helper()
	root := doc.Find("html")
	if got := root.AttrOr("lang", ""); got != lang {
		t.Errorf("lang %q, want %q", got, lang)
	}
	if got := root.AttrOr("data-theme", ""); got != theme {
		t.Errorf("theme %q, want %q", got, theme)
	}
	if n := doc.Find("h1").Length(); n != 1 {
		t.Errorf("%d first-level headings", n)
	}
	if n := doc.Find("main#main").Length(); n != 1 {
		t.Errorf("%d main regions", n)
	}
	if _, ok := doc.Find("body").Attr("data-role"); !ok {
		t.Error("body has no data-role")
	}
	if text := doc.Text(); strings.Contains(text, "[name.") || strings.Contains(text, "[ui.") || missing(text) {
		t.Error("a text is missing in the catalogue")
	}
	if doc.Find("[style], style, script:not([src]), [onclick], [onload], [onsubmit]").Length() > 0 {
		t.Error("inline style or script")
	}
	checkIDs(t, doc)
	checkFields(t, doc)
	checkHeadings(t, doc)
	doc.Find("svg[role=img], nav, aside, [role=region]").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("aria-label", "") == "" && s.AttrOr("aria-labelledby", "") == "" {
			t.Errorf("%s without a name", goquery.NodeName(s))
		}
	})
	doc.Find("img").Each(func(_ int, s *goquery.Selection) {
		if _, ok := s.Attr("alt"); !ok {
			t.Error("image without alt")
		}
	})
	doc.Find("a, button").Each(func(_ int, s *goquery.Selection) {
		if strings.TrimSpace(s.Text()) == "" && s.AttrOr("aria-label", "") == "" {
			t.Errorf("%s without a name: %s", goquery.NodeName(s), s.AttrOr("href", ""))
		}
	})
	doc.Find("table").Each(func(_ int, s *goquery.Selection) {
		if s.Find("th").Length() == 0 && !s.HasClass("data") {
			t.Error("table without a heading cell")
		}
	})
}

// missing finds a key in brackets, which is how a missing text is drawn.
func missing(text string) bool {
	for _, lang := range []string{"[method.", "[explain.", "[prediction", "[playground.", "[audit.", "[policies.", "[policy.", "[refused.", "[error.", "[chart.", "[models.", "[exports.", "[dashboard.", "[signin.", "[help.", "[nav."} {
		if strings.Contains(text, lang) {
			return true
		}
	}
	return false
}

func checkIDs(t *testing.T, doc *goquery.Document) {
	t.Helper()
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		if ids[id] {
			t.Errorf("two elements with id %q", id)
		}
		ids[id] = true
	})
	for _, attr := range []string{"aria-labelledby", "aria-describedby", "for"} {
		doc.Find("[" + attr + "]").Each(func(_ int, s *goquery.Selection) {
			for _, id := range strings.Fields(s.AttrOr(attr, "")) {
				if !ids[id] {
					t.Errorf("%s names %q, which is not on the page", attr, id)
				}
			}
		})
	}
	doc.Find(`a[href^="#"]`).Each(func(_ int, s *goquery.Selection) {
		if id := s.AttrOr("href", "#")[1:]; id != "" && !ids[id] {
			t.Errorf("link to #%s, which is not on the page", id)
		}
	})
}

func checkFields(t *testing.T, doc *goquery.Document) {
	t.Helper()
	doc.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		labelled := s.Closest("label").Length() > 0 || id != "" && doc.Find(`label[for="`+id+`"]`).Length() > 0
		if !labelled && s.AttrOr("aria-label", "") == "" {
			t.Errorf("field %q without a label", s.AttrOr("name", ""))
		}
	})
	doc.Find("form").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("action", "") == "" {
			t.Error("form without an address: it must work without script")
		}
	})
}

func checkHeadings(t *testing.T, doc *goquery.Document) {
	t.Helper()
	last := 1
	doc.Find("main h1, main h2, main h3, main h4, main h5, main h6").Each(func(_ int, s *goquery.Selection) {
		level := int(goquery.NodeName(s)[1] - '0')
		if level > last+1 {
			t.Errorf("heading %q jumps from level %d to %d", strings.TrimSpace(s.Text()), last, level)
		}
		last = level
	})
}
