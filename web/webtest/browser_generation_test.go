package webtest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"vitrine/inference/conformance/chain"
	"vitrine/policy"
)

// TestWriting is a conversation with a model that writes: the answer appears while it is written, a word leads to what it was
// written because of, alone, against another word and as a part of the whole, and the pack of it all verifies.
func TestWriting(t *testing.T) {
	if console.err != nil {
		t.Fatal(console.err)
	}
	dir := filepath.Join(t.TempDir(), "chain")
	if err := chain.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := console.app.AddModel(t.Context(), console.app.Local(), dir, "chain", ""); err != nil {
		t.Fatal(err)
	}
	b := open(t, policy.Analyst)
	b.follow("/generate?model=chain")
	b.axe("the form of writing")
	b.narrow("the form of writing")
	b.shot("generate", 1280)
	b.do(chromedp.SendKeys("#text", "I am "+address, chromedp.ByQuery))
	if b.press("form.cols button.primary"); !strings.HasPrefix(b.where(), "/predictions/") {
		t.Fatalf("the answer is on %s: %.300s", b.where(), b.text("main"))
	}
	v := b.answered()
	words := b.texts("#answer ol.toks li")
	if g := v.Output.Generated; len(g) != 1 || len(words) != len(g[0].Tokens) || strings.Contains(b.text("main"), address) || strings.Contains(b.text("main"), "joe@") {
		t.Fatalf("%d words on the page, the API has %+v", len(words), g)
	}

	b.press("#answer ol.toks li:nth-child(6) a")
	if got := b.text("#alternatives tr.here th"); !strings.Contains(got, strings.TrimSpace(v.Output.Generated[0].Tokens[5].Text)) {
		t.Errorf("word 6 is %q on the page", got)
	}
	b.explainWord("input-x-gradient", "")
	if n, want := b.count("#why ol.toks li"), len(v.Tokens); n == 0 || n > want+5 {
		t.Errorf("the prompt is coloured in %d parts, it has %d tokens and 5 were written before", n, want)
	}
	b.axe("an explained word")
	b.narrow("an explained word")
	b.shot("written-word", 1280)
	b.shot("written-word-narrow", 375)

	b.explainWord("saliency", "contrast")
	if title := b.text("#why-h"); !strings.Contains(title, "rather than") {
		t.Errorf("a contrast is called %q", title)
	}

	b.press("#answer p.hint a") // all words together
	b.explainWord("input-x-gradient", "")
	b.noScript() // every link of the strip is a page
	b.press("#answer ol.toks li:nth-child(3) a")
	if n := b.count("#why ol.toks li"); n == 0 {
		t.Error("a word of an answer that was explained as a whole has no explanation of its own")
	}
	auditor := open(t, policy.Auditor)
	auditor.exportsAPack(0)
}

// explainWord runs a method on the chosen word, or on all where none is; contrast compares it with the next likeliest.
func (b *tab) explainWord(method, contrast string) {
	b.t.Helper()
	b.choose("m-"+method, "on")
	if contrast != "" {
		b.js(`document.querySelector("#contrast").selectedIndex = 1`, nil)
	}
	b.press("#explain form button.primary")
	if !strings.Contains(b.where(), "e=") {
		b.t.Fatalf("%s gave %s: %.300s", method, b.where(), b.text("main"))
	}
}
