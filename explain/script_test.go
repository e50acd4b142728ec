package explain

import (
	"slices"
	"testing"

	"vitrine/inference"
)

func TestForeignScript(t *testing.T) {
	english := "# sentiment\n\nSays whether an English sentence is negative.\n"
	for name, c := range map[string]struct {
		card, text string
		want       bool
	}{
		"same":         {english, "a fine film", false},
		"chinese":      {english, "这部电影真好看", true},
		"mostly latin": {english, "a fine film called 电影, seen in Paris", false},
		"no letters":   {english, "12:30 — 😀!", false},
		"empty":        {english, "", false},
		"no language":  {"# a model\n\nIt is good.", "这部电影真好看", false},
		"field":        {"---\nlanguage: zh\nlicense: mit\n---\nTrained by English people.", "这部电影真好看", false},
		"field list":   {"---\ntags:\n- en\nlanguage:\n- de\n- ru\n---\n", "это хорошо", false},
		"field other":  {"---\nlanguage:\n  - de\n---\n", "это хорошо", true},
		"inline list":  {"---\nlanguage: [en, ja]\n---\n", "とても良い映画", false},
		"multilingual": {"---\nlanguage: multilingual\n---\n", "これは", false},
		"no end":       {"---\nlanguage: en", "это", true},
	} {
		if got := ForeignScript(c.card, c.text); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The shipped text model says English on its card: a Chinese sentence is explained, with a warning.
func TestForeignScriptWarning(t *testing.T) {
	m, _ := shipped(t, "sentiment-minilm")
	r := Request{Model: m, Input: inference.Input{Text: "这部电影真好看"}, Method: "saliency", Draws: -1}
	if e := mustExplain(t, r); !slices.Contains(e.Warnings, WarnScript) {
		t.Errorf("warnings %v", e.Warnings)
	}
	r.Input.Text = "What a good film."
	if e := mustExplain(t, r); slices.Contains(e.Warnings, WarnScript) {
		t.Errorf("warnings %v", e.Warnings)
	}
}

func FuzzForeignScript(f *testing.F) {
	f.Add("---\nlanguage: en\n---\n", "text")
	f.Add("---\n---", "文")
	f.Fuzz(func(t *testing.T, card, text string) { ForeignScript(card, text) })
}
