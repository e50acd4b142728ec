package views

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/a-h/templ/parser/v2"
	"github.com/a-h/templ/parser/v2/visitor"
)

// proper are the texts that are the same in every language: names, standards,
// commands.
var proper = map[string]bool{
	"Vitrine": true, "SHA-256": true, "Ed25519": true, "JSON": true, "#": true, "·": true,
	"vitrine verify pack.zip": true, "vitrine model add FOLDER": true, "purpose in": true, "research, quality-review": true,
	"kind: actor: model: decision: object: before: after: index:": true,
}

// TestNoLiteralTextInTemplates reads every template: words a reader sees come
// from the catalogues.
func TestNoLiteralTextInTemplates(t *testing.T) {
	files, err := filepath.Glob("*.templ")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"ui", "chart", "gallery"} {
		more, err := filepath.Glob(dir + "/*.templ")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) < 15 {
		t.Fatalf("found only %d templates", len(files))
	}
	for _, name := range files {
		file, err := parser.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		v := visitor.New()
		v.Text = func(n *parser.Text) error {
			s := strings.TrimSpace(n.Value)
			for word := range proper {
				s = strings.ReplaceAll(s, word, "")
			}
			if strings.ContainsFunc(s, unicode.IsLetter) {
				t.Errorf("%s: literal text %q", name, n.Value)
			}
			return nil
		}
		v.ConstantAttribute = func(n *parser.ConstantAttribute) error {
			key := n.Key.String()
			switch {
			case key == "style" || strings.HasPrefix(key, "on"):
				t.Errorf("%s: attribute %s, which the content security policy forbids", name, key)
			case key == "title" || key == "aria-label" || key == "placeholder" || key == "alt" && n.Value != "":
				t.Errorf("%s: literal %s %q", name, key, n.Value)
			}
			return nil
		}
		if err := file.Visit(v); err != nil {
			t.Fatal(err)
		}
	}
}
