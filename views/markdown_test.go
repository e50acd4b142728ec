package views

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"# Title\n\nOne *two* **three** `a<b`.", "<h3>Title</h3>\n<p>One <em>two</em> <strong>three</strong> <code>a&lt;b</code>.</p>\n"},
		{"- a\n- b\n  more\n\n1. c", "<ul>\n<li>a</li>\n<li>b more</li>\n</ul>\n<ol>\n<li>c</li>\n</ol>\n"},
		{"| a | b |\n|---|---|\n| 1 | 2 |", `<div class="scroll"><table class="tbl tight"><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>` + "\n"},
		{"[x](https://example.org/?a=1&b=2)", `<p><a href="https://example.org/?a=1&amp;b=2" rel="noreferrer">x</a></p>` + "\n"},
		{"[x](javascript:alert(1))", "<p>x)</p>\n"},
		{"<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"},
		{"```\na < b\n```", `<pre class="code" tabindex="0">a &lt; b` + "\n</pre>"},
		{"---\nlicense: mit\n---\ntext", "<p>text</p>\n"},
	} {
		if got := Markdown(c.in); got != c.want {
			t.Errorf("Markdown(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

// FuzzMarkdown: whatever a model card holds, what comes out has only the
// elements and attributes that we write, and every link leads to http.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"# a\n\n- b\n\n| c | d |\n|--|--|\n| `e` | [f](https://g) |", "```\nx", "[a](java\tscript:x)", "<a href=x onclick=y>", "**a `b** c`", "\x00\x00`a`", "|a|\n|b", "a\n|b|\nc"} {
		f.Add(s)
	}
	allowed := map[string]bool{"html": true, "head": true, "body": true, "h3": true, "h4": true, "h5": true, "h6": true, "p": true, "ul": true, "ol": true, "li": true, "div": true, "table": true,
		"thead": true, "tbody": true, "tr": true, "th": true, "td": true, "pre": true, "code": true, "em": true, "strong": true, "a": true}
	f.Fuzz(func(t *testing.T, src string) {
		doc, err := html.Parse(strings.NewReader(Markdown(src)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if !allowed[n.Data] {
				t.Errorf("element %s", n.Data)
			}
			for _, a := range n.Attr {
				switch a.Key {
				case "href":
					if !strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "https://") {
						t.Errorf("link to %q", a.Val)
					}
				case "class", "scope", "rel", "tabindex":
				default:
					t.Errorf("attribute %s", a.Key)
				}
			}
		}
	})
}

func TestMaskPieces(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []MaskPiece
	}{
		{"write to [EMAIL] or [PHONE_2].", []MaskPiece{{"write to ", false}, {"[EMAIL]", true}, {" or ", false}, {"[PHONE_2]", true}, {".", false}}},
		{"a [b] [ [X", []MaskPiece{{"a [", false}, {"b] [ [X", false}}},
		{"", nil},
	} {
		got := MaskPieces(c.in)
		if len(got) != len(c.want) {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
			continue
		}
		joined := ""
		for i := range got {
			joined += got[i].Text
			if got[i] != c.want[i] {
				t.Errorf("%q: piece %d is %v, want %v", c.in, i, got[i], c.want[i])
			}
		}
		if joined != c.in {
			t.Errorf("%q: pieces join to %q", c.in, joined)
		}
	}
}
